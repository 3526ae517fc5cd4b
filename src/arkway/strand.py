"""How does straight-line code wait without a Task? A coroutine driven by hand.

A strand runs one coroutine until it yields; whoever makes the awaited thing true resumes it at
once, in the same call stack: no event-loop round trip, no Future, no Task. That is what lets
`pipeline.py` read top to bottom at the price of callbacks (ADR-0002 has the figures).

Rules: a strand waits for one thing at a time; whoever holds it as a waiter forgets it before it
resumes it; nothing here knows of sockets or clocks. Hot path: one or two waits a call.
"""

import types
from collections.abc import Callable, Coroutine, Generator, Sequence
from typing import Any, Final

import msgspec

_ENDED: Final = object()


class Strand(msgspec.Struct, eq=False, kw_only=True):
    """One coroutine and the right to resume it.

    `steps` is what the coroutine's `__await__` gives: `next` over it ends without the StopIteration
    that `send` would raise.
    `on_end` is called once, with None or the exception that ended the coroutine; it must not
    raise. `throw` while the strand is running is refused by assertion: the caller of `throw` is
    always an outside event (a closed connection, a clock). (A msgspec struct for its constructor.)
    """

    steps: Generator[Any, None, None] | None = None
    is_running: bool = False

    def on_end(self, error: BaseException | None) -> None:
        """Learn how the coroutine ended; subclasses say what follows."""
        raise NotImplementedError

    def resume(self) -> None:
        """Run the coroutine up to its next wait."""
        steps = self.steps
        assert steps is not None, "an ended strand"
        self.is_running = True
        try:
            step = next(steps, _ENDED)
        except BaseException as error:  # noqa: BLE001 - handed on whole to on_end
            self._end(error)
        else:
            self.is_running = False
            if step is _ENDED:
                self._end(None)

    def throw(self, error: BaseException) -> None:
        """Raise `error` at the coroutine's wait; a no-op once it has ended."""
        steps = self.steps
        if steps is None:
            return
        assert not self.is_running, "throw into a running strand"
        self.is_running = True
        try:
            steps.throw(error)
        except StopIteration:
            self._end(None)
        except BaseException as raised:  # noqa: BLE001 - handed on whole to on_end
            del error  # which holds this frame
            self._end(raised)
        else:
            self.is_running = False

    def _end(self, error: BaseException | None) -> None:
        self.is_running = False
        self.steps = None  # its frames lead back here: break the cycle
        self.on_end(error)


class Branch(Strand):
    """A strand beside others, of `gather`."""

    notify: Callable[[BaseException | None], None] | None = None

    def on_end(self, error: BaseException | None) -> None:
        """Tell the gathering strand."""
        assert self.notify is not None, "set by gather"
        self.notify(error)


class Cancelled(Exception):
    """A sibling branch failed; thrown into the others."""


@types.coroutine
def _suspend() -> Generator[None, None, None]:
    yield


async def gather(
    parent: Strand, bodies: Sequence[Callable[[Strand], Coroutine[Any, None, None]]]
) -> None:
    """Run `bodies` side by side, each on a strand of its own, until all have ended.

    The first exception of any of them is raised here, after the others were thrown `Cancelled`;
    whatever is thrown into `parent` meanwhile is thrown into all of them. None outlives this call.
    """
    errors: list[BaseException] = []
    running = 0
    is_waiting = False

    def notify(error: BaseException | None) -> None:
        nonlocal running, is_waiting
        running -= 1
        if error is not None and not errors:
            errors.append(error)
        if is_waiting and (errors or not running):
            is_waiting = False
            parent.resume()

    branches: list[Branch] = []
    try:
        for body in bodies:
            branch = Branch(notify=notify)
            branch.steps = body(branch).__await__()
            branches.append(branch)
            running += 1
            branch.resume()
            if errors:
                break
        while running and not errors:
            is_waiting = True
            await _suspend()
    except BaseException as error:
        is_waiting = False
        for branch in branches:
            branch.throw(error)
        raise
    if errors:
        _cancel(branches)
        raise errors[0]


def _cancel(branches: Sequence[Strand]) -> None:
    for branch in branches:
        branch.throw(Cancelled())  # one each, that no frame of ours holds
