"""What traffic could there be? Seeded traces of the public form, for whoever has none at hand.

Conversations begin at random, their turns come after log-normal gaps, each prompt is the one before
it and something new. A part of them begins with one common text (a system prompt), another with
one of a few tool descriptions: what makes prompts hot.
"""

import random
from math import log

import msgspec

from arkway.simulate.trace.rows import Row, Trace

BLOCK_TOKENS = 512


class Mix(msgspec.Struct, frozen=True):
    """What a synthetic trace is like; the defaults are like a public hour of chat."""

    duration_s: float = 3600.0
    conversations_per_s: float = 2.2
    turns_mean: float = 1.5
    gap_median_s: float = 120.0
    gap_sigma: float = 1.0
    first_median_tokens: float = 6000.0
    first_sigma: float = 1.0
    turn_median_tokens: float = 1500.0
    most_tokens: int = 126_000
    output_median_tokens: float = 330.0
    hot_share: float = 0.0  # of conversations that begin with the common text
    hot_blocks: int = 12
    tools: int = 0  # kinds of tool descriptions; the first is the most common
    tool_blocks: int = 6
    seed: int = 1


def synthetic(mix: Mix) -> Trace:
    """Return a trace of this mix: the same for the same mix."""
    draw = random.Random(mix.seed)  # noqa: S311 - a simulation, repeatable on purpose
    rows: list[Row] = []
    fresh = iter(range(1_000_000, 1_000_000_000))
    at_s, number = 0.0, 0
    while True:
        at_s += draw.expovariate(mix.conversations_per_s)
        if at_s >= mix.duration_s:
            break
        number += 1
        blocks = _begins(mix, draw)
        tokens = len(blocks) * BLOCK_TOKENS
        turn_s = at_s
        turns = 1 + int(draw.expovariate(1.0) * (mix.turns_mean - 1.0) + 0.5)
        for turn in range(turns):
            median = mix.turn_median_tokens if turn else mix.first_median_tokens
            tokens += max(int(draw.lognormvariate(log(median), mix.first_sigma)), 20)
            if tokens > mix.most_tokens or turn_s >= mix.duration_s:
                break
            blocks = blocks[: tokens // BLOCK_TOKENS]
            while len(blocks) < tokens // BLOCK_TOKENS:
                blocks.append(next(fresh))
            partial = [next(fresh)] if tokens % BLOCK_TOKENS else []
            output = max(int(draw.lognormvariate(log(mix.output_median_tokens), 0.6)), 1)
            rows.append(Row(turn_s, tokens, output, (*blocks, *partial), f"c{number}"))
            turn_s += draw.lognormvariate(log(mix.gap_median_s), mix.gap_sigma)
            tokens += output
    rows.sort(key=lambda row: row.at_s)
    return Trace(f"synthetic-{mix.seed}", tuple(rows), BLOCK_TOKENS)


def _begins(mix: Mix, draw: random.Random) -> list[int]:
    """Return the blocks that a conversation shares with others."""
    blocks = [0]  # a template that everybody uses
    if draw.random() < mix.hot_share:
        blocks = list(range(1, mix.hot_blocks + 1))
    if mix.tools:
        kind = min(int(draw.expovariate(1.0) * mix.tools / 3), mix.tools - 1)
        head = blocks[0]
        begin = 1000 * (1 + kind) + 100_000 * head
        blocks = [*blocks, *range(begin, begin + mix.tool_blocks)]
    return blocks


def heated(trace: Trace, share: float, blocks: int) -> Trace:
    """Return a trace in which a share of the conversations begin with one common text more."""
    common = tuple(range(-blocks, 0))
    tokens = blocks * trace.block_tokens
    hot: dict[str, bool] = {}
    draw = random.Random(5)  # noqa: S311 - a simulation, repeatable on purpose
    rows = []
    for row in trace.rows:
        name = row.conversation
        if name not in hot:
            hot[name] = draw.random() < share
        if hot[name]:
            row = msgspec.structs.replace(
                row, blocks=(*common, *row.blocks), input_tokens=row.input_tokens + tokens
            )
        rows.append(row)
    return Trace(f"{trace.name}, {share:.0%} hot", tuple(rows), trace.block_tokens)
