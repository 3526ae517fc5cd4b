"""What would this traffic have done? `arkway simulate`: a trace through the real routing code."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf, isfinite
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from arkway.cli.flags import JsonFlag
from arkway.cli.output import USAGE, Failure, print_json, print_table, remark
from arkway.simulate.trace.compare import MAX_ACCOUNTS, compare, needed, report
from arkway.simulate.trace.load_io import BadTrace, load
from arkway.simulate.trace.picture import draw
from arkway.simulate.trace.plan import Plan
from arkway.simulate.trace.result import Result
from arkway.simulate.trace.rows import Trace
from arkway.simulate.trace.rules import ELASTIC, NAMES
from arkway.simulate.trace.synthetic import Mix, synthetic
from arkway.simulate.trace.upstream import Limits

_COLUMNS = (
    "rule",
    "hits of bound",
    "hits of input",
    "max/mean",
    "p95 minute",
    "429s",
    "failed",
    "waited",
    "mean ttft",
    "decision p50",
    "p99",
)


def simulate(  # noqa: PLR0913 - a flag each
    *,
    trace: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="A trace file. Without one: a synthetic hour of chat."),
    ] = None,
    accounts: Annotated[
        int, typer.Option(min=1, max=MAX_ACCOUNTS, metavar="N", help="Simulated accounts.")
    ] = 8,
    compare_rules: Annotated[
        bool, typer.Option("--compare", help="Run four other rules beside ours.")
    ] = False,
    plan_for: Annotated[
        bool,
        typer.Option("--plan", help="Find the fewest accounts with --rpm and --tpm that do."),
    ] = False,
    fewer_than: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="For --plan: refused calls and 429s below this. Default: 1."
        ),
    ] = None,
    rpm: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Requests a minute of each account.")
    ] = None,
    tpm: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Tokens a minute of each account.")
    ] = None,
    in_flight: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Calls in flight of each account.")
    ] = None,
    headroom: Annotated[
        float | None,
        typer.Option(min=0.01, metavar="X", help="Limits of X times the trace's mean demand."),
    ] = None,
    no_header: Annotated[
        bool, typer.Option("--no-header", help="Hide the conversations' ids.")
    ] = False,
    ttl_s: Annotated[
        float | None,
        typer.Option(min=1.0, metavar="S", help="Idle life of a cached block. Default: for ever."),
    ] = None,
    nodes: Annotated[int, typer.Option(min=1, max=64, metavar="N", help="Gateways.")] = 1,
    lag_s: Annotated[
        float, typer.Option(min=0.0, metavar="S", help="Until a node knows what others learned.")
    ] = 1.0,
    lose_shared_at_s: Annotated[
        float | None,
        typer.Option(min=0.0, metavar="S", help="From then on nodes hear nothing of each other."),
    ] = None,
    kill_account_at_s: Annotated[
        float | None, typer.Option(min=0.0, metavar="S", help="An account dies.")
    ] = None,
    revive_account_at_s: Annotated[
        float | None, typer.Option(min=0.0, metavar="S", help="It comes back, empty.")
    ] = None,
    add_account_at_s: Annotated[
        float | None, typer.Option(min=0.0, metavar="S", help="One more account joins.")
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Of everything random.")] = 7,
    out: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="Write PATH.json and PATH.svg, a picture."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Replay a trace through the real routing code, in simulated time.

    The accounts are simulated: each has a prompt cache, limits and token timing. What was cached
    and what was refused is counted by them, not by the routing.
    """
    if out is not None and not out.parent.is_dir():
        raise Failure(f"--out: {out.parent} is no directory", status=USAGE)
    what = _load(trace, seed)
    plan = Plan(
        accounts=accounts,
        has_header=not no_header,
        headroom=headroom,
        limits=Limits(rpm, tpm, in_flight),
        ttl_s=inf if ttl_s is None else ttl_s,
        nodes=nodes,
        lag_s=lag_s,
        lose_shared_at_s=lose_shared_at_s,
        kill_account_at_s=kill_account_at_s,
        revive_account_at_s=revive_account_at_s,
        add_account_at_s=add_account_at_s,
        seed=seed,
    )
    _check(plan, what)
    if plan_for:
        if compare_rules:
            raise Failure("--plan and --compare exclude each other", status=USAGE)
        _plan(what, plan, fewer_than or 1, out, as_json=as_json)
        return
    if fewer_than is not None:
        raise Failure("--fewer-than is for --plan", status=USAGE)
    names = NAMES if compare_rules else (ELASTIC,)
    with _progress(len(names) * len(what.rows)) as tell:
        results = compare(what, plan, names, tell)
    found = report(what, plan, results)
    if out is not None:
        _write(out, found, draw(f"{what.name}, {accounts} accounts", results))
    if as_json:
        print_json(found)
        return
    remark(
        f"{what.name}: {len(what.rows)} requests in {what.duration_s:.0f} s; one infinite cache "
        f"would serve {found['bound']:.2%} of the prompt tokens (the bound)"
    )
    print_table(_COLUMNS, [_row(result) for result in results])


def _load(path: Path | None, seed: int) -> Trace:
    if path is None:
        return synthetic(Mix(seed=seed))
    try:
        return load(path)
    except (BadTrace, UnicodeDecodeError) as error:
        raise Failure(f"{path}: {error}", status=USAGE) from None
    except OSError as error:
        raise Failure(f"{path}: {error.strerror}", status=USAGE) from None


def _row(result: Result) -> list[str]:
    it: dict[str, Any] = result.figures()
    return [
        result.name,
        f"{it['hit_share_of_bound']:.2%}",
        f"{it['hit_share_of_input']:.2%}",
        f"{it['token_max_over_mean']:.3f}",
        f"{it['minute_p95_max_over_mean']:.2f}",
        str(it["provoked_429"]),
        str(it["failed"]),
        str(it["waited"]),
        f"{it['mean_ttft_s']:.3f} s",
        f"{it['decision_us_p50']:.0f} us",
        f"{it['decision_us_p99']:.0f} us",
    ]


def _check(plan: Plan, trace: Trace) -> None:
    """Refuse what would be ignored, or what a replay would take for something else."""
    times_s = {
        "--lose-shared-at-s": plan.lose_shared_at_s,
        "--kill-account-at-s": plan.kill_account_at_s,
        "--revive-account-at-s": plan.revive_account_at_s,
        "--add-account-at-s": plan.add_account_at_s,
    }
    for flag, value in {"--headroom": plan.headroom, "--lag-s": plan.lag_s, **times_s}.items():
        if value is not None and not isfinite(value):
            raise Failure(f"{flag}: must be a finite number, got {value}", status=USAGE)
    if plan.ttl_s != plan.ttl_s:  # infinite is as good as none
        raise Failure("--ttl-s: must be a number, got nan", status=USAGE)
    for flag, at_s in times_s.items():
        if at_s is not None and at_s > trace.duration_s:
            raise Failure(
                f"{flag}: must be within the trace, which ends after {trace.duration_s:.0f} s, "
                f"got {at_s:g}",
                status=USAGE,
            )
    if plan.lose_shared_at_s is not None and plan.nodes == 1:
        raise Failure("--lose-shared-at-s needs more than one of --nodes", status=USAGE)
    if plan.revive_account_at_s is not None and (
        plan.kill_account_at_s is None or plan.kill_account_at_s >= plan.revive_account_at_s
    ):
        raise Failure("--revive-account-at-s needs an earlier --kill-account-at-s", status=USAGE)
    if plan.headroom is not None and plan.limits != Limits():
        raise Failure("--headroom excludes --rpm, --tpm and --in-flight", status=USAGE)


def _plan(trace: Trace, plan: Plan, fewer_than: int, out: Path | None, *, as_json: bool) -> None:
    if plan.headroom is not None:
        raise Failure("--plan and --headroom exclude each other", status=USAGE)
    if plan.limits == Limits():
        raise Failure("--plan needs limits: --rpm, --tpm or --in-flight", status=USAGE)
    with _progress(len(trace.rows)) as tell:
        needs = needed(trace, plan, fewer_than, tell)
    found = {
        **report(trace, plan, [needs.result]),
        "accounts": needs.accounts,
        "fewer_than": fewer_than,
        "tried": [
            {"accounts": count, "refused": refused, "waited": waited}
            for count, refused, waited in needs.tried
        ],
    }
    if out is not None:
        tried = needs.tried[-1][0] if needs.accounts is None else needs.accounts
        _write(out, found, draw(f"{trace.name}, {tried} accounts", [needs.result]))
    if as_json:
        print_json(found)
    if needs.accounts is None:
        raise Failure(f"not even {MAX_ACCOUNTS} accounts with these limits are enough")
    if not as_json:
        remark(
            f"{needs.accounts} accounts refuse fewer than {fewer_than} of {len(trace.rows)} calls"
        )
        print_table(("accounts", "refused or 429", "waited"), needs.tried)


def _write(out: Path, found: dict[str, Any], picture: str) -> None:
    name = str(out).removesuffix(".json").removesuffix(".svg")
    try:
        Path(f"{name}.json").write_bytes(
            msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n"
        )
        Path(f"{name}.svg").write_text(picture, encoding="utf-8")
    except OSError as error:
        raise Failure(f"{out}: {error.strerror}", status=USAGE) from None


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], None] | None]:
    """Show a bar to whoever watches; nothing to a script."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console  # noqa: PLC0415  60 ms that only people are worth
    from rich.progress import Progress  # noqa: PLC0415

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("replaying", total=total)

        def tell(done: int) -> None:
            bar.update(task, completed=done)

        yield tell
