"""How is the world outside simulated? `arkway sim ark`: its flags, nothing more."""

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from arkway.cli.flags import JsonFlag, examples, given
from arkway.cli.output import USAGE, Failure, print_json, remark

app = typer.Typer(
    help="Stand-ins for the world outside, for tests, demos and planning.", no_args_is_help=True
)


@app.callback()
def _group() -> None:
    """Keep `ark` a subcommand though it is the only one."""


@app.command(
    "ark",
    epilog=examples(
        "arkway sim ark --accounts 8 --pool-file pool.toml --env-file sim.env",
        "arkway sim ark --accounts 4 --rpm 600 --tpm 200000 --log served.jsonl --json",
        "arkway sim ark --own-ports --accounts 2 --instant --fault 'stall accounts=ark-1'",
        "arkway sim ark --config sim.toml --speed 60",
    ),
)
def ark(  # noqa: PLR0913  one parameter a flag
    *,
    config: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="TOML or JSON with any of it; flags win over it."),
    ] = None,
    accounts: Annotated[
        int | None, typer.Option(metavar="N", help="How many accounts. Default: 1.")
    ] = None,
    host: Annotated[
        str | None, typer.Option(metavar="HOST", help="Address to listen on. Default: 127.0.0.1.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(metavar="PORT", help="Port of the accounts. Default: a free one.")
    ] = None,
    own_ports: Annotated[
        bool, typer.Option("--own-ports", help="A port for each account: --port and up, or free.")
    ] = False,
    control_port: Annotated[
        int | None, typer.Option(metavar="PORT", help="Port of control. Default: a free one.")
    ] = None,
    rpm: Annotated[
        str | None, typer.Option(metavar="N", help="Requests a minute per model, or none.")
    ] = None,
    tpm: Annotated[
        str | None, typer.Option(metavar="N", help="Tokens a minute per model, or none.")
    ] = None,
    in_flight: Annotated[
        str | None, typer.Option(metavar="N", help="Calls at once per model, or none.")
    ] = None,
    retry_after: Annotated[
        bool, typer.Option("--retry-after", help="Say in a 429 when to come back.")
    ] = False,
    instant: Annotated[
        bool, typer.Option("--instant", help="Answer at once: no prefill, no token timing.")
    ] = False,
    tokens_per_s: Annotated[
        float | None, typer.Option(metavar="RATE", help="Output of a call. Default: 60.")
    ] = None,
    answer_tokens: Annotated[
        int | None, typer.Option(metavar="N", help="Length of answers. Default: 32.")
    ] = None,
    speed: Annotated[
        float | None, typer.Option(metavar="X", help="Simulated seconds in a real one. Default: 1.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(metavar="N", help="Of keys, random answers, random faults.")
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(metavar="RULE", help="'KIND name=value ...'; repeatable. docs/simulator.md"),
    ] = None,
    log: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Append a line of JSON for each call.")
    ] = None,
    pool_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the accounts for a gateway (TOML).")
    ] = None,
    env_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the keys as NAME=VALUE lines (0600).")
    ] = None,
    json: JsonFlag = False,
) -> int:
    """Run simulated Ark accounts until SIGTERM or SIGINT.

    They have keys, limits per model, prompt caches, token timing, errors and faults as Volcengine
    Ark's have, and answer with counting words. It shares no code with the gateway.
    """
    from arkway.simulate.ark import run_io, settings  # noqa: PLC0415  an event loop: 50 ms

    flags = given(
        {
            "number_of_accounts": accounts,
            "host": host,
            "port": port,
            "control_port": control_port,
            "speed": speed,
            "seed": seed,
            "own_ports": own_ports or None,
            "retry_after": retry_after or None,
            "log": log and str(log),
        }
    )
    limits = {"requests_per_min": rpm, "tokens_per_min": tpm, "in_flight": in_flight}
    flags["limits"] = {name: _count(name, text) for name, text in given(limits).items()}
    still = {"first_token_s": 0, "prefill_tokens_per_s": 0, "tokens_per_s": 0}
    flags["timing"] = (still if instant else {}) | given({"tokens_per_s": tokens_per_s})
    if answer_tokens is not None:
        flags["answers"] = {"length": "fixed", "tokens": answer_tokens}
    try:
        if fault:
            flags["faults"] = [settings.rule_of(_words(text)) for text in fault]
        below = settings.read(config) if config is not None else {}
        chosen = settings.settings_of(settings.with_flags(below, flags))
    except settings.SettingsError as error:
        raise Failure(error, status=USAGE) from None
    return run_io.run(
        chosen,
        run_io.Files(pool_file, env_file),
        print_json if json else _tell,
    )


def _count(name: str, value: object) -> object:
    if value is None or isinstance(value, int):
        return value
    raise Failure(f"{name}: must be a whole number or none", status=USAGE)


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:  # a quote that is not closed
        raise Failure(f"--fault: {error}", status=USAGE) from None


def _tell(ready: dict[str, Any]) -> None:
    """Say where everything is."""
    for account in ready["accounts"]:
        print(f"{account['name']}  {account['base_url']}  {account['key']}")
    print(f"control  {ready['control']}")
    remark("ready; Ctrl-C ends it")
