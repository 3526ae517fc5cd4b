"""What was said on a page that is left at once? It is said on the next one. Pure."""

from collections import OrderedDict

GOOD_FOR_S = 5.0  # the next page opens within a second; what comes later is another visit
MOST = 100  # sessions; a notice that is pushed out is a courtesy lost


class Notices:
    """The last notice of each session that opens another page."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[str, str, float]] = OrderedDict()

    def keep(self, session: str, message: str, tone: str, now_s: float) -> None:
        """Keep a notice for the next page of a session."""
        self._kept[session] = (message, tone, now_s)
        self._kept.move_to_end(session)
        while len(self._kept) > MOST:
            self._kept.popitem(last=False)

    def take(self, session: str, now_s: float) -> tuple[str, str] | None:
        """Return the message and tone that a session was to be told, once."""
        message, tone, since_s = self._kept.pop(session, ("", "", 0.0))
        return (message, tone) if message and now_s - since_s <= GOOD_FOR_S else None
