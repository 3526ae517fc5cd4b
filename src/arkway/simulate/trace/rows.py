"""What is a request of a trace? Times, sizes, and which prompts begin alike."""

from collections.abc import Sequence

import msgspec


class Row(msgspec.Struct, frozen=True, eq=False):
    """One request. Equal blocks at the start of two rows: their prompts begin alike."""

    at_s: float
    input_tokens: int
    output_tokens: int
    blocks: tuple[int, ...] = ()  # ids of the prompt's blocks; the last may be partial
    conversation: str = ""  # which conversation it is a turn of; empty: none was found


class Trace(msgspec.Struct, frozen=True):
    """Rows in the order of time."""

    name: str
    rows: tuple[Row, ...]
    block_tokens: int

    @property
    def duration_s(self) -> float:
        """From the first row to the last."""
        return self.rows[-1].at_s - self.rows[0].at_s if self.rows else 0.0

    @property
    def tokens_per_min(self) -> float:
        """Mean demand, input and output."""
        tokens = sum(row.input_tokens + row.output_tokens for row in self.rows)
        return tokens / max(self.duration_s, 1.0) * 60.0

    @property
    def requests_per_min(self) -> float:
        """Mean demand."""
        return len(self.rows) / max(self.duration_s, 1.0) * 60.0


LEAST_SHARED_BLOCKS = 2  # one is a greeting, or a template that everybody uses


def with_conversations(rows: Sequence[Row], block_tokens: int) -> tuple[Row, ...]:
    """Return the rows with the conversations that their prompts show.

    A request goes on from the longest earlier prompt whose full blocks it contains, two at least.
    Rows that name their conversation keep it.
    """
    latest: dict[tuple[int, ...], str] = {}  # full blocks of a prompt -> its conversation
    lengths: set[int] = set()
    found = []
    for number, row in enumerate(rows):
        full = row.blocks[: row.input_tokens // block_tokens]
        name = row.conversation
        if not name:
            for length in sorted((it for it in lengths if it <= len(full)), reverse=True):
                name = latest.get(full[:length], "")
                if name:
                    break
            name = name or f"c{number}"
        if len(full) >= LEAST_SHARED_BLOCKS:
            latest[full] = name
            lengths.add(len(full))
        found.append(msgspec.structs.replace(row, conversation=name))
    return tuple(found)
