"""Which settings does a process keep from start to stop? Sockets, limits, clocks, logs.

A change of any of these in the file asks for a restart (`watch`).
"""

from typing import Annotated, Literal

from msgspec import Struct

from arkway.store.fields import (
    DAY_S,
    GIB,
    KIB,
    MIB,
    Connections,
    Duration,
    Label,
    LongDuration,
    Port,
    Size,
    about,
)


class Server(Struct, frozen=True, kw_only=True):
    """Where the gateway listens and how it stops."""

    host: Annotated[
        Label,
        about("Address of the public API.", "every interface: callers are on other machines"),
    ] = "0.0.0.0"  # noqa: S104  a gateway is there to be reached; ops_host is not
    port: Annotated[
        Port,
        about("Port of the public API; 0 takes a free one.", "the usual one for HTTP services"),
    ] = 8080
    ops_host: Annotated[
        Label,
        about(
            "Address of /healthz and /readyz.",
            "loopback: these routes ask for no key, so exposing them is a decision of yours",
        ),
    ] = "127.0.0.1"
    ops_port: Annotated[
        Port, about("Port of the ops routes; 0 takes a free one.", "next to the public one")
    ] = 8082
    docs: Annotated[
        bool,
        about(
            "Whether the public port also serves the documentation, under /docs, without a key.",
            "off: who may read there is a decision of yours; /docs of the control port has it",
        ),
    ] = False
    max_connections: Annotated[
        Connections,
        about(
            "Callers' connections open at once; more are refused with 503.",
            "an idle stream costs at most 40 KiB, so this many fit into 400 MiB",
        ),
    ] = 10_000
    drain_s: Annotated[
        float,
        about(
            "On SIGTERM, how long running answers may take to finish.",
            "long enough for nearly every answer, short enough for a rolling update",
            ge=0,
            le=DAY_S,
        ),
    ] = 600.0
    backlog: Annotated[
        int,
        about(
            "Connections the kernel queues before we accept them.",
            "a burst of new callers waits instead of failing; the kernel caps it at somaxconn",
            ge=1,
            le=65_535,
        ),
    ] = 4096


class Limits(Struct, frozen=True, kw_only=True):
    """What one caller, one call and all of them together may take."""

    max_body_bytes: Annotated[
        Size,
        about("Largest request body; more is 413.", "room for a few images as base64"),
    ] = 20 * MIB
    max_header_bytes: Annotated[
        int,
        about(
            "Largest header section; more is 431.",
            "nginx allows 32 KiB, node 16 KiB",
            ge=KIB,
            le=MIB,
        ),
    ] = 32 * KIB
    max_headers: Annotated[
        int,
        about(
            "Most header fields; more is 431.",
            "Apache's default; the official SDKs send about 15",
            ge=16,
            le=10_000,
        ),
    ] = 100
    header_timeout_s: Annotated[
        Duration,
        about(
            "Time for a request's headers, from their first byte; then 408.",
            "slow enough for any network, too quick to hoard connections (slowloris)",
        ),
    ] = 10.0
    body_grace_s: Annotated[
        Duration,
        about(
            "Time for a request's body before body_min_bytes_per_s counts.",
            "slow start and one lost packet are no attack",
        ),
    ] = 10.0
    body_min_bytes_per_s: Annotated[
        int,
        about(
            "Slowest average at which a body may arrive after the grace; else 408. 0: any.",
            "below a modem, above a trickle",
            ge=0,
            le=GIB,
        ),
    ] = KIB
    keep_alive_s: Annotated[
        Duration,
        about(
            "How long an idle connection stays open for the next request.",
            "nginx's default; longer than the 60 s idle timeout of common load balancers",
        ),
    ] = 75.0
    write_stall_s: Annotated[
        Duration,
        about(
            "How long a caller may read nothing of its answer before it is cut off.",
            "a stalled reader holds an upstream connection and buffers",
        ),
    ] = 30.0
    max_buffered_body_bytes: Annotated[
        int,
        about(
            "All request bodies in memory together; more is 503.",
            "a bound for the process that does not depend on the number of callers",
            ge=KIB,
            le=64 * GIB,
        ),
    ] = 256 * MIB
    max_in_flight: Annotated[
        Connections,
        about(
            "Calls being served at once; more are 503.",
            "beyond it every answer would only get slower",
        ),
    ] = 4096
    max_choices: Annotated[
        int,
        about(
            "Largest `n` of a call.",
            "each choice is an upstream call of its own, so `n` multiplies what a call costs",
            ge=1,
            le=128,
        ),
    ] = 16
    max_event_bytes: Annotated[
        Size,
        about(
            "Largest single event of an upstream's stream.",
            "chunks hold a few tokens; one this large is a fault of the upstream",
        ),
    ] = MIB
    max_answer_bytes: Annotated[
        Size,
        about(
            "Largest plain (not streamed) upstream answer.",
            "it is held in memory whole; 12 288 tokens are about 64 KiB, log-probabilities more",
        ),
    ] = 32 * MIB


class Upstream(Struct, frozen=True, kw_only=True):
    """How long an attempt may take, and the connections to each account."""

    connect_s: Annotated[
        Duration,
        about("Clock 1: connecting, TLS included.", "another account may be tried after it"),
    ] = 5.0
    first_token_s: Annotated[
        LongDuration,
        about(
            "Clock 2 of a stream: from the sent request to the first token.",
            "a 256k prompt takes a model tens of seconds to read",
        ),
    ] = 120.0
    plain_answer_s: Annotated[
        LongDuration,
        about(
            "Clock 2 of a plain (not streamed) call: from the sent request to the whole answer.",
            "nothing comes before it is whole; 12 288 tokens take a fast model minutes",
        ),
    ] = 300.0
    between_chunks_s: Annotated[
        LongDuration,
        about("Clock 3: silence between two chunks.", "models pause, and seldom for minutes"),
    ] = 120.0
    total_s: Annotated[
        LongDuration,
        about("Clock 4: the whole attempt.", "the longest answers at the slowest rate still fit"),
    ] = 900.0
    heartbeat_s: Annotated[
        Duration,
        about(
            "Silence on a caller's stream after which a comment line is sent.",
            "proxies between caller and gateway cut idle connections, some after 30 s",
        ),
    ] = 15.0
    max_attempts: Annotated[
        int,
        about(
            "Attempts for one call, each at another account; five where limits alone refuse it.",
            "a third account seldom succeeds where two failed; more would amplify an outage",
            ge=1,
            le=10,
        ),
    ] = 3
    idle_connections: Annotated[
        int,
        about(
            "Idle connections kept open to each account; 0 keeps none.",
            "saves a TLS handshake a call without holding the upstream's sockets",
            ge=0,
            le=10_000,
        ),
    ] = 64
    idle_s: Annotated[
        Duration,
        about(
            "How long an idle upstream connection is kept.",
            "shorter than upstreams' own limits (often 60 s), so that they rarely close first",
        ),
    ] = 30.0
    max_connections: Annotated[
        int,
        about(
            "Connections to each account, busy and idle.",
            "bounds sockets when an upstream is slow; calls beyond it go to other accounts",
            ge=1,
            le=100_000,
        ),
    ] = 1024


class Control(Struct, frozen=True, kw_only=True):
    """The control process: admin API and what stands on it. It is not on the way of any call."""

    enabled: Annotated[
        bool,
        about(
            "Whether `arkway serve` starts it beside the gateway.",
            "nodes behind a load balancer need one for all of them",
        ),
    ] = True
    host: Annotated[
        Label,
        about("Address it listens on.", "loopback: it speaks HTTP without TLS"),
    ] = "127.0.0.1"
    port: Annotated[
        Port,
        about(
            "Port it listens on; 0 takes a free one.",
            "next to the public one; taken and never named, serving goes on without it",
        ),
    ] = 8081
    public_url: Annotated[
        str,
        about(
            "Address of a TLS proxy before it, such as https://arkway.example.com.",
            "only requests for this name or a loopback name are answered",
            pattern=r"^(https?://[a-z0-9.-]{1,253}(:[0-9]{1,5})?)?\Z",
            extra={"rule": "string, http:// or https:// and a host, without a path; or empty"},
        ),
    ] = ""
    docs_model: Annotated[
        str,
        about(
            "Model that words the answers of `?ask=` in /docs here; empty: they are quotations.",
            "each answer is a call that is paid for, so it is a decision of yours",
            pattern=r"^[^\x00-\x1f\x7f\ud800-\udfff]{0,128}\Z",
            extra={"rule": "string, the name of a model or empty"},
        ),
    ] = ""
    docs_key_file: Annotated[
        str,
        about(
            "File with the API key by which `docs_model` is called, as anybody calls this gateway.",
            "its calls are in the ledger, and the key's limits and budget bound them",
            pattern=r"^[^\x00-\x1f\x7f\ud800-\udfff]{0,4096}\Z",
            extra={"rule": "string, a path or empty", "path": True},
        ),
    ] = ""
    idle_s: Annotated[
        float,
        about(
            "Time without a connection after which it ends; the next caller starts it again. "
            "0: never.",
            "it takes 40 MiB and more, most of the day for nobody",
            ge=0,
            le=DAY_S,
        ),
    ] = 120.0
    session_idle_s: Annotated[
        float,
        about(
            "How long a browser's session may rest before it ends.",
            "a tab that nobody uses is an open door; figures that refresh themselves are no use",
            ge=60,
            le=DAY_S,
        ),
    ] = 1800.0
    session_s: Annotated[
        float,
        about("How long a session lives at most.", "a working day", ge=60, le=30 * DAY_S),
    ] = 43_200.0


class Log(Struct, frozen=True, kw_only=True):
    """What is written to standard error. Prompts, answers and keys never are."""

    level: Annotated[
        Literal["debug", "info", "warning", "error"],
        about(
            "Least important level that is written.",
            "info tells of starts, reloads and stops, warning of failed attempts",
        ),
    ] = "info"
    format: Annotated[
        Literal["json", "text"],
        about("One JSON object a line, or text for people.", "log collectors parse JSON"),
    ] = "json"
    calls: Annotated[
        bool,
        about(
            "One line for each call, with names and numbers.",
            "off: it is the most a gateway writes, and the ledger has every attempt anyway",
        ),
    ] = False


class Telemetry(Struct, frozen=True, kw_only=True):
    """Spans and metrics by OpenTelemetry, with the extra `otel`. /metrics needs none of this."""

    otlp_endpoint: Annotated[
        str,
        about(
            "Base URL of an OTLP/HTTP collector, as in http://127.0.0.1:4318; empty: no export.",
            "what leaves the machine is a decision of yours",
            pattern=r"^(https?://[^\x00-\x20\x7f\ud800-\udfff@]{1,512})?\Z",
            extra={"rule": "string, an http or https URL without credentials, or empty"},
        ),
    ] = ""
    sample_ratio: Annotated[
        float,
        about(
            "Share of the calls whose spans are exported.",
            "metrics count every call; a tenth of the spans shows how calls go",
            ge=0,
            le=1,
        ),
    ] = 0.1
    propagate: Annotated[
        bool,
        about(
            "Tell upstreams of the trace (`traceparent`).",
            "off: it tells a provider which calls belong together",
        ),
    ] = False
    service_name: Annotated[
        Label,
        about("The name under which spans and metrics are exported.", "one a fleet is usual"),
    ] = "arkway"


class Local(Struct, frozen=True, kw_only=True):
    """The embedded stand-in model, used when no account is configured or with `--local`."""

    model: Annotated[
        str,
        about(
            "Path of a GGUF file; empty takes the packaged one.",
            "the packaged one (SmolLM2-135M-Instruct) is small enough for any machine",
            pattern=r"^[^\x00-\x1f\x7f\ud800-\udfff]{0,4096}\Z",
            extra={"rule": "string, a path or empty", "path": True},
        ),
    ] = ""
