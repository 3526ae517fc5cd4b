"""How long does a dead child wait before it is started again?"""

FIRST_WAIT_S = 0.5  # a crash on one odd prompt should cost its callers a blink
MAX_WAIT_S = 30.0  # a child that cannot start takes a core for its attempts: two a minute at most
STEADY_LIFE_S = 60.0  # a child that lived this long was healthy; its death is a new story


class Backoff:
    """Waits that double with every early death of one child."""

    def __init__(self) -> None:
        self._next_wait_s = FIRST_WAIT_S

    def after_life(self, lived_s: float) -> float:
        """Return the wait after a life of `lived_s`, and remember it. Unit: s."""
        if lived_s >= STEADY_LIFE_S:
            self._next_wait_s = FIRST_WAIT_S
        wait_s = self._next_wait_s
        self._next_wait_s = min(2 * wait_s, MAX_WAIT_S)
        return wait_s
