"""Where are uploaded traces between their upload and their run? In memory, a few of them."""

from collections import OrderedDict

MAX_BYTES = 64 * 1024 * 1024  # a trace of a few hundred thousand calls
MAX_KEPT = 2  # of all pages together: the oldest goes
_kept: OrderedDict[str, bytes] = OrderedDict()


def keep(name: str, trace: bytes) -> None:
    """Keep a trace under a name that its page made up."""
    _kept.pop(name, None)
    _kept[name] = trace
    while len(_kept) > MAX_KEPT:
        _kept.popitem(last=False)


def kept(name: str) -> bytes | None:
    """Return a trace; None: it was never here, or others came after it."""
    return _kept.get(name)
