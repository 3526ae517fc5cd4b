"""How well does routing keep caches warm, limits unprovoked and load even? Every goal, measured.

    python bench/routing.py [TRACE]     # TRACE: a file that `arkway simulate` reads

Prints each case with its goal, and writes bench/routing.json and bench/routing.svg. Without a trace
it takes the synthetic hour; goals are stated for the public conversation trace.
"""

import json
import platform
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from arkway.model.call import Call
from arkway.model.catalogue import AccountLimits, AccountSpec, Dialect, ModelSpec, Secret
from arkway.model.usage import Usage
from arkway.routing.ask import Size
from arkway.routing.policy import RoutingPolicy
from arkway.routing.pool import Pool
from arkway.simulate.trace.compare import compare
from arkway.simulate.trace.load_io import load
from arkway.simulate.trace.picture import draw
from arkway.simulate.trace.plan import Plan
from arkway.simulate.trace.replay import _Replay, replay
from arkway.simulate.trace.result import percentile
from arkway.simulate.trace.rules import ELASTIC
from arkway.simulate.trace.synthetic import Mix, heated, synthetic
from arkway.simulate.trace.upstream import Cache, cached_tokens
from arkway.wire.common_body import CommonBody, CommonMessage

HERE = Path(__file__).resolve().parent
SEEDS = (1, 2, 3)
NO_WAIT = RoutingPolicy(home_wait_s=0.0)
MIDDLE_S = 1800.0


def hits(least, uneven=None):
    def judge(it):
        return it["hits"] >= least and (uneven is None or it["max/mean"] <= uneven)

    return f">= {least:.1%}" + (f" at <= {uneven}" if uneven else ""), judge


def cases(trace):
    """Yield (name, trace, plan, goal, judge)."""
    hot = heated(trace, 0.6, 12)
    even = hits(0.995, 1.05)
    yield "8 accounts, header", trace, Plan(), *even
    yield (
        "8 accounts, no header",
        trace,
        Plan(has_header=False),
        even[0] + ", p95 minute <= 1.5",
        lambda it: even[1](it) and it["p95 minute"] <= 1.5,
    )
    yield "hot system prompt, no header", hot, Plan(has_header=False), *even
    yield "hot system prompt, header", hot, Plan(), *even
    yield "16 accounts, no header", trace, Plan(accounts=16, has_header=False), *hits(0.99)
    yield "64 accounts, no header", trace, Plan(accounts=64, has_header=False), *hits(0.985)
    for headroom, least in ((1.3, 0.93), (2.0, 0.995)):
        goal, judge = hits(least)
        yield (
            f"limits at {headroom} x demand, no header",
            trace,
            Plan(headroom=headroom, has_header=False),
            goal + ", no 429",
            lambda it, judge=judge: judge(it) and not it["429s"],
        )
    yield "4 nodes, lag 1 s, no header", trace, Plan(nodes=4, has_header=False), *hits(0.995)
    for has_header in (True, False):
        goal, judge = hits(0.95)
        yield (
            f"4 nodes lose the table mid-run, 1.6 x, {'header' if has_header else 'no header'}",
            trace,
            Plan(nodes=4, headroom=1.6, lose_shared_at_s=MIDDLE_S, has_header=has_header),
            goal + ", none failed",
            lambda it, judge=judge: judge(it) and not it["failed"],
        )
    base = measured(trace, Plan(has_header=False))["hits"]
    yield (
        "one account of 8 dies mid-run",
        trace,
        Plan(has_header=False, kill_account_at_s=MIDDLE_S),
        "at most 0.7 points less, none failed",
        lambda it: it["hits"] >= base - 0.007 and not it["failed"],
    )
    yield (
        "it dies and comes back",
        trace,
        Plan(has_header=False, kill_account_at_s=1200.0, revive_account_at_s=2400.0),
        "none failed",
        lambda it: not it["failed"],
    )
    yield (
        "an account is added",
        trace,
        Plan(has_header=False, add_account_at_s=MIDDLE_S),
        "< 1 % of turns move",
        lambda it: it["moved"] < 0.01,
    )
    yield (
        "limits 1 : 2 : 5, 2 x demand",
        trace,
        Plan(has_header=False, headroom=2.0, shares=(1, 2, 5)),
        "used parts max/mean <= 1.05",
        lambda it: it["max/mean"] <= 1.05,
    )
    yield (
        "limits told twice too high, 1.6 x",
        trace,
        Plan(headroom=1.6, told_factor=2.0),
        "429s < 1 % of calls",
        lambda it: it["429s"] < 0.01 * it["calls"],
    )
    yield "caches live 300 s, no header", trace, Plan(ttl_s=300.0, has_header=False), *hits(0.99)
    mix = synthetic(Mix(hot_share=0.5, tools=6, conversations_per_s=2.5, turns_mean=3.0, seed=11))
    yield "synthetic: tools, half hot, long", mix, Plan(has_header=False), *even


def measured(trace, plan, policy=None):
    """Return the means of several seeds, and the worst of what must never happen."""
    seeds = SEEDS if plan.accounts == 8 else SEEDS[:1]
    runs = [replay(trace, plan_with(plan, seed), policy=policy) for seed in seeds]
    count = len(runs)
    return {
        "calls": runs[0].calls,
        "hits": sum(run.hit_share_of_bound for run in runs) / count,
        "max/mean": max(run.token_max_over_mean for run in runs),
        "p95 minute": sum(run.minute_p95_max_over_mean for run in runs) / count,
        "429s": max(run.provoked_429 for run in runs),
        "failed": max(run.failed for run in runs),
        "waited": sum(run.waited for run in runs) / count,
        "ttft_s": sum(run.mean_ttft_s for run in runs) / count,
        "moved": sum(run.moved / max(run.turns, 1) for run in runs) / count,
        "ejections": max(run.ejections for run in runs),
    }


def plan_with(plan, seed):
    return type(plan)(
        **{name: getattr(plan, name) for name in plan.__struct_fields__} | {"seed": seed}
    )


def decision_us():
    """Return (p50, p99) of keys and decision for a prompt of 48 KB and 16 accounts. Unit: us."""
    model = ModelSpec("m", "m-1", 262_144, 4096)
    limits = AccountLimits(30_000, 50_000_000)
    accounts = tuple(
        AccountSpec(f"a{at}", Dialect.ARK, "https://h", Secret(""), limits=limits)
        for at in range(16)
    )
    pool, now_s, times = Pool(b"s" * 32), 0.0, []
    for turn in range(1500):
        texts = [f"{turn % 100} {at} " + "what was said before " * 120 for at in range(19)]
        texts = [text[:2586] for text in texts]
        body = CommonBody("m", [CommonMessage("user", text) for text in texts])
        call = Call(model, "m", False, False, 1, body, sum(map(len, texts)), None)
        begin = time.perf_counter_ns()
        ask = pool.ask(call, "t", Size(12_000, 300), accounts)
        lease = pool.choose(ask, accounts, now_s)
        times.append((time.perf_counter_ns() - begin) / 1000)
        pool.succeed(lease, Usage(12_000, 11_000, 300), 0.5, now_s + 0.1)
        now_s += 0.05
    return percentile(times, 0.5), percentile(times, 0.99)


def died_with_an_account(trace, seed):
    """Return the share of the bound that was cached on the first account alone as it died.

    No routing can save that much: it is what has to be computed again. Taken from a run in which
    nobody dies.
    """
    run = _Replay(trace, Plan(has_header=False, seed=seed), ELASTIC, RoutingPolicy(), None)
    run.run()
    held = [
        {block for block, since_s in each.cache.held().items() if since_s <= MIDDLE_S}
        for each in run.accounts
    ]
    lost = held[0].difference(*held[1:])
    cache, total, gone = Cache(), 0, 0
    for row in trace.rows:
        count = cache.match(row.blocks, row.at_s)
        cached = cached_tokens(count, trace.block_tokens, row.input_tokens)
        total += cached
        cache.write(row.blocks, row.at_s, row.at_s)
        if row.at_s < MIDDLE_S:
            continue
        whole = next((at for at, it in enumerate(row.blocks[:count]) if it in lost), count)
        gone += cached - min(cached_tokens(whole, trace.block_tokens, row.input_tokens), cached)
        lost.difference_update(row.blocks)  # computed again
    return gone / total


def one_copy_of(trace):
    """Return the share of the bound that is what was there in the middle and is used again.

    Whatever the rule: where each prefix is cached once, so much is lost with the accounts together,
    and an eighth of it with one of eight by the mean. A second copy costs what it may save.
    """
    cache, total, used, there = Cache(), 0, 0, set()
    for row in trace.rows:
        count = cache.match(row.blocks, row.at_s)
        total += cached_tokens(count, trace.block_tokens, row.input_tokens)
        cache.write(row.blocks, row.at_s, row.at_s)
        if row.at_s < MIDDLE_S:
            there.update(row.blocks)
            continue
        for at, block in enumerate(row.blocks[:count]):
            if block in there:
                left = row.input_tokens - at * trace.block_tokens
                used += min(trace.block_tokens, max(left, 0))
        there.difference_update(row.blocks)
    return used / total


def main():
    trace = load(Path(sys.argv[1])) if len(sys.argv) > 1 else synthetic(Mix())
    # The best of three: what else the machine does is not the decision's cost.
    p50, p99 = min((decision_us() for _ in range(3)), key=lambda it: it[1])
    rows = [
        {
            "case": "decision, 48 KB, 16 accounts",
            "goal": "<= 100 us p50, <= 300 us p99",
            "met": p50 <= 100 and p99 <= 300,
            "p50_us": p50,
            "p99_us": p99,
        }
    ]
    print(f"decision, 48 KB prompt, 16 accounts: p50 {p50:.0f} us, p99 {p99:.0f} us")
    for name, its, plan, goal, judge in cases(trace):
        it = measured(its, plan)
        rows.append({"case": name, "goal": goal, "met": judge(it), **rounded(it)})
        print(line(rows[-1]), flush=True)
        if plan.kill_account_at_s == MIDDLE_S:
            gone = sum(died_with_an_account(trace, seed) for seed in SEEDS) / len(SEEDS)
            rows[-1]["cached_nowhere_else"] = round(gone, 5)
            mean = one_copy_of(trace) / plan.accounts
            rows[-1]["lost_with_one_copy_of_all"] = round(mean, 5)
            print(f"{'':48} cached on it alone, and so lost: {gone:.2%}")
            print(f"{'':48} an account's mean share of one copy of all: {mean:.2%}")
        if plan.headroom == 1.3:
            no_wait = measured(its, plan, NO_WAIT)
            rows[-1]["ttft_without_waiting_for_home_s"] = round(no_wait["ttft_s"], 3)
            print(f"{'':48} without waiting for a home: ttft {no_wait['ttft_s']:.3f} s")
    rules = compare(trace, Plan())
    for result in rules:
        print(
            f"{result.name:20} {result.hit_share_of_bound:.1%} at {result.token_max_over_mean:.3f}"
        )
    found = {
        "when": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        "trace": trace.name,
        "requests": len(trace.rows),
        "rows": rows,
        "rules": [result.figures() for result in rules],
    }
    (HERE / "routing.json").write_text(json.dumps(found, indent=1) + "\n")
    (HERE / "routing.svg").write_text(draw(f"{trace.name}, 8 accounts", rules))
    missed = [row["case"] for row in rows if not row["met"]]
    print("goals missed: " + ("; ".join(missed) or "none"))


def rounded(it):
    return {name: round(value, 4) for name, value in it.items()}


def line(row):
    return (
        f"{'ok  ' if row['met'] else 'MISS'} {row['case']:46} {row['hits']:.2%} "
        f"at {row['max/mean']:.3f}, "
        f"p95 minute {row['p95 minute']:.2f}, 429s {row['429s']}, failed {row['failed']}, "
        f"waited {row['waited']:.0f}, ttft {row['ttft_s']:.3f} s, moved {row['moved']:.2%} "
        f"| {row['goal']}"
    )


if __name__ == "__main__":
    main()
