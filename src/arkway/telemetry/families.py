"""Which metrics are there? The closed list: names, kinds, labels, bounds, and how many series.

docs/metrics.md, the dashboard and the alert rules are checked against this file. A label's values
come from closed sets: names of the configuration (as many as `MAX_MODELS`, `MAX_ACCOUNTS`; the
rest is `other`) and words of our own. Nothing a caller sends becomes a label.
"""

from dataclasses import dataclass

PREFIX = "arkway_"
OTHER = "other"

MAX_SERIES = 2000
# The first so many names that are met have labels of their own, the rest share `other`.
MAX_MODELS = 11
MAX_ACCOUNTS = 40
# Sets of labels of one family: a bound where several closed sets meet. What is beyond it is
# counted under `other` in each label but `status`.
MAX_SETS = 200

# OpenTelemetry's boundaries for GenAI durations; calls may take longer than its last.
FIRST_TOKEN_S = tuple(0.01 * 2**n for n in range(14))  # 0.01 ... 81.92
DURATION_S = tuple(0.01 * 2**n for n in range(17))  # 0.01 ... 655.36
LAG_S = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)

COUNTER, GAUGE, HISTOGRAM = "counter", "gauge", "histogram"


@dataclass(frozen=True, slots=True)
class Family:
    """One metric: what it is called and what it counts."""

    name: str  # with the prefix and, for a counter, `_total`
    kind: str
    help: str
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()  # of a histogram


def _counter(name: str, text: str, *labels: str) -> Family:
    return Family(f"{PREFIX}{name}_total", COUNTER, text, labels)


def _gauge(name: str, text: str, *labels: str) -> Family:
    return Family(PREFIX + name, GAUGE, text, labels)


def _histogram(name: str, text: str, bounds: tuple[float, ...], *labels: str) -> Family:
    return Family(PREFIX + name, HISTOGRAM, text, labels, bounds)


# Calls.
CALLS = _counter(
    "calls",
    "Chat completions that were admitted, at their end.",
    "model",
    "outcome",
    "status",
    "code",
)
CALL_SECONDS = _histogram(
    "call_duration_seconds",
    "From a call's head to its last byte, of calls that were answered whole.",
    DURATION_S,
    "model",
    "stream",
)
FIRST_TOKEN_SECONDS = _histogram(
    "time_to_first_token_seconds",
    "From a streamed call's head to the first token passed on.",
    FIRST_TOKEN_S,
    "model",
)
CALLS_IN_FLIGHT = _gauge("calls_in_flight", "Calls that are being served.")
STREAMS = _gauge("streams", "Answers of which a part has been sent and more is to come.")
DRAINS = _gauge("drains", "Streams that are read to their end although their caller has left.")
CONNECTIONS = _gauge("connections", "Open connections of callers.")
CALLERS_LEFT = _counter("callers_left", "Calls whose caller left before their end.", "phase")
AFFINITY = _counter(
    "affinity", "Answered calls by where they were served, seen from their conversation.", "served"
)
# Errors.
ERRORS = _counter(
    "errors",
    "Errors that callers were given, at any stage; reason tells refusals of one code apart.",
    "status",
    "code",
    "reason",
)
FRAMING = _counter(
    "framing_errors", "Requests that break HTTP/1.1, by the rule they broke.", "kind"
)
STALLED = _counter("write_stalls", "Callers cut off because they did not read their answer.")
# Attempts.
ATTEMPTS = _counter(
    "attempts",
    "Attempts at upstream accounts, at their end, by outcome and class of error.",
    "account",
    "outcome",
    "class",
)
BOOKED = _counter(
    "attempts_booked",
    "Attempts by how they were booked; unknown: the upstream may have charged, the caller is not.",
    "kind",
)
USAGE_SOURCE = _counter("usage_source", "Attempts by where their token counts come from.", "source")
TOKENS = _counter("tokens", "Tokens that were booked, by class.", "model", "class")
COST = _counter(
    "cost",
    "What was booked, in units of the currency: a float, for graphs; the ledger has it exactly.",
    "model",
    "currency",
)
RETRIES_REFUSED = _counter("retries_refused", "Retries not made: the retry budget was spent.")
# Accounts.
ACCOUNT_UP = _gauge(
    "account_up", "1: the account may get calls; 0: it is out for all of its models.", "account"
)
ACCOUNT_IN_FLIGHT = _gauge("account_in_flight", "Attempts under way at an account.", "account")
ACCOUNT_WAITING = _gauge("account_waiting", "Calls that wait for an account.", "account")
ACCOUNT_LOAD = _gauge(
    "account_utilisation_ratio",
    "How much is used of the fullest limit of an account; absent where none is known.",
    "account",
)
EJECTIONS = _counter("account_ejections", "How often an account lost its place.", "account")
# The ledger.
LEDGER_OPEN = _gauge("ledger_open", "1: the ledger can be written; 0: calls are refused.")
LEDGER_WAITING = _gauge("ledger_waiting", "Entries that wait to become durable.")
LEDGER_UNFILED = _gauge("ledger_unfiled", "Entries that are durable, and not in the database yet.")
LEDGER_KEPT = _gauge("ledger_kept_ends", "Ends of attempts that wait for the disk to work again.")
LEDGER_ENTRIES = _counter("ledger_entries", "Entries made durable since the start.")
LEDGER_COMMITS = _counter("ledger_commits", "Writes to the disk that made them durable.")
LEDGER_COMMIT_SECONDS = _gauge("ledger_last_commit_seconds", "How long the last of them took.")
LEDGER_DISK = _gauge("ledger_disk_free_bytes", "Space left where the ledger is.")
# Configuration.
REVISION = _gauge("configuration_revision", "Revision of the store that is in force.")
LAST_LAG = _gauge("configuration_last_lag_seconds", "How long the last change took to come here.")
LAG = _histogram(
    "configuration_lag_seconds",
    "From a change of keys, accounts, models or prices to its being in force here.",
    LAG_S,
)
REVOKED = _counter("calls_cut_by_revocation", "Running calls that ended because their key did.")
# The process.
BUILD = _gauge("build_info", "Always 1; the version is a label.", "version", "python")
UPTIME = _gauge("uptime_seconds", "Since the start of the process.")
DRAINING = _gauge("draining", "1: the node is stopping and takes no new calls.")
LOOP_LAG = _gauge("event_loop_lag_seconds", "The longest delay of the event loop, of 15 seconds.")
LOOP_LATE = _counter("event_loop_late_seconds", "All delays of the event loop together.")
RSS = _gauge("process_resident_bytes", "Memory of this process, without the stand-in's children.")
CPU = _counter("process_cpu_seconds", "Processor time of this process.")
FDS = _gauge("process_open_fds", "File descriptors that are open.")
MAX_FDS = _gauge("process_max_fds", "How many may be open.")
LOCAL_UP = _gauge("local_model_up", "1: this server of the embedded stand-in runs.", "server")
SERIES = _gauge("series", "Series of this page, this one left out.")
DROPPED = _counter("telemetry_dropped", "Spans that were not exported: queue full, or refused.")

FAMILIES: tuple[Family, ...] = tuple(
    value for value in [*globals().values()] if isinstance(value, Family)
)
BY_NAME = {family.name: family for family in FAMILIES}
