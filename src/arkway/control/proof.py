"""Is it our own process that asks the gateway for something? A MAC over what is asked, and when.

The ops port has no keys: it only tells. What makes the gateway act is asked with a proof by the
secret that the processes of one gateway share. It holds for one request and half a minute, so that
one that was overheard is worth little, and a page in somebody's browser cannot make any. Pure.
"""

import hmac

TEST_PATH = "/accounts/test"
HEADER = "x-arkway-proof"
GOOD_FOR_S = 30


def proof(key: bytes, target: str, now_unix_s: int) -> str:
    """Return the proof for a request. Shapes: target: its path and query; key: `Secrets.ops`."""
    return f"{now_unix_s}.{_mac(key, target, now_unix_s)}"


def is_proved(key: bytes, target: str, given: str, now_unix_s: int) -> bool:
    """Whether `given` is a proof for `target`, made within GOOD_FOR_S of now."""
    made, _, mac = given.partition(".")
    if not (made.isascii() and made.isdigit() and len(made) <= 12 and mac.isascii()):
        return False
    is_fresh = abs(now_unix_s - int(made)) <= GOOD_FOR_S
    return hmac.compare_digest(mac, _mac(key, target, int(made))) and is_fresh


def _mac(key: bytes, target: str, unix_s: int) -> str:
    return hmac.digest(key, f"{unix_s} {target}".encode(), "sha256").hex()
