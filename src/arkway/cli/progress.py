"""How far is long work? A bar on a terminal, nothing elsewhere."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from arkway.ledger.rows_io import Tell, tell_nobody


@contextmanager
def progress(what: str) -> Iterator[Tell]:
    """Yield what is told `(done, all)` as the work goes on; it ends with the block.

    It goes to standard error, so that what a command prints can be piped meanwhile.
    """
    if not sys.stderr.isatty():
        yield tell_nobody
        return
    from rich.console import Console  # noqa: PLC0415  60 ms that only terminals are worth
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn  # noqa: PLC0415
    from rich.progress import TimeRemainingColumn as Remaining  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), Remaining())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)

        def tell(done: int, whole: int) -> None:
            bar.update(task, completed=done, total=whole)

        yield tell
