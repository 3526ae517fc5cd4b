"""What stands for the beginning of a prompt? Secret keys of a tenant's conversations. Hot path.

All keys are the first 128 bits of SHA-256 over a seed, which is an HMAC of tenant and model with
the server's secret: no prompt text and no caller's id can be read from one or guessed from one,
and two tenants never meet. A text's length goes behind it: no two prompts read alike to their ends,
and two that begin alike do, within a text too.

A *chain* has a key after the tools, after each message, and after each STEP_BYTES of a longer one.
Two prompts that begin alike have the same keys as far as they do. Not all are made: the first,
the 4th, 8th, 16th ... (a prompt that branches off early is found), and the last (it goes on).
"""

from collections.abc import Iterable
from hashlib import sha256
from hmac import digest as hmac
from typing import Any

import msgspec

from arkway.model.ids import TenantId
from arkway.wire.common_body import CommonMessage

KEY_BYTES = 16
STEP_BYTES = 4096
TAIL_STEPS = 16  # of the chain's end are made: a turn of tools adds a few messages
TAIL_MESSAGES = 8
_GEOMETRIC = frozenset({1, *(4 << power for power in range(16))})
_encode = msgspec.json.Encoder(order="sorted").encode


class Chain(msgspec.Struct, frozen=True, eq=False):
    """The keys of a prompt's beginnings, the shortest first."""

    keys: tuple[bytes, ...] = ()
    ends: tuple[int, ...] = ()  # where each key's beginning ends: bytes, or tokens of a trace
    kept: tuple[bytes, ...] = ()  # those worth remembering after an answer
    whole: int = 0  # where the prompt ends, in the same unit
    root: bytes = b""  # of the first user message: what a conversation without an id goes by
    tail: Any = None  # the hash so far, for the answer's key


NO_CHAIN = Chain()


def seed_of(secret: bytes, tenant: TenantId, model: str) -> bytes:
    """Return what all keys of a tenant and a model begin with. Shapes: returns 32 bytes."""
    return hmac(secret, f"{len(tenant)}:{tenant}\0{model}".encode(), "sha256")


def conversation_key(seed: bytes, identity: str) -> bytes:
    """Return the key of a conversation that its caller named: 16 bytes."""
    return sha256(b"%bid\0%b" % (seed, identity.encode("utf-8", "surrogatepass"))).digest()[
        :KEY_BYTES
    ]


def chain_of(seed: bytes, params: dict[str, Any] | msgspec.Struct) -> Chain:
    """Return the chain of a validated body, of either form; both forms of one prompt agree.

    Cost:    one SHA-256 of the text, and 0.4 us a key.
    """
    tools = params.get("tools") if isinstance(params, dict) else None
    messages = params["messages"] if isinstance(params, dict) else params.messages  # type: ignore[attr-defined]
    texts = [_canonical(message) for message in messages]
    user = next((at for at, text in enumerate(texts) if text.startswith(b"user\0")), 0)
    hashed = sha256(seed)
    if tools:
        text = _encode(tools)
        hashed.update(b"tools\0%d\0" % len(text))
        hashed.update(text)
    return _chain(hashed, texts, user)


def _chain(hashed: Any, texts: list[bytes], user: int) -> Chain:
    steps = sum([(len(text) - 1) // STEP_BYTES + 1 for text in texts])
    tail_step, last = steps - TAIL_STEPS, len(texts) - 1
    keys: list[bytes] = []
    ends: list[int] = []
    kept: list[bytes] = []
    root, step, end = b"", 0, 0
    for at, text in enumerate(texts):
        for cut in _cuts(text):
            hashed.update(cut)
            end += len(cut)
            step += 1
            if step > tail_step or step in _GEOMETRIC:
                keys.append(hashed.copy().digest()[:KEY_BYTES])
                ends.append(end)
                if step in _GEOMETRIC:
                    kept.append(keys[-1])
        if at == user or at >= last - TAIL_MESSAGES:
            if not ends or ends[-1] != end:
                keys.append(hashed.copy().digest()[:KEY_BYTES])
                ends.append(end)
            if at == user:
                root = keys[-1]
            if at >= last - 1 and (not kept or kept[-1] != keys[-1]):
                kept.append(keys[-1])
    return Chain(tuple(keys), tuple(ends), tuple(kept), end, root, hashed)


def answer_key(chain: Chain, content: str) -> bytes | None:
    """Return the key of the prompt with its answer behind it, as the caller will send it back."""
    if chain.tail is None:
        return None
    hashed = chain.tail.copy()
    hashed.update(_text("assistant", content))
    key: bytes = hashed.digest()[:KEY_BYTES]
    return key


def _cuts(text: bytes) -> Iterable[bytes | memoryview]:
    if len(text) <= STEP_BYTES:
        return (text,)
    view = memoryview(text)
    return [view[at : at + STEP_BYTES] for at in range(0, len(text), STEP_BYTES)]


def _canonical(message: CommonMessage | dict[str, Any]) -> bytes:
    """Return the bytes of a message that the upstream's cache depends on."""
    if type(message) is CommonMessage:
        return _text(message.role, message.content)
    assert isinstance(message, dict), "validate makes nothing else"
    content, role = message.get("content"), message.get("role", "user")
    if type(content) is str and len(message) == 2:
        return _text(role, content)
    rest = [content, message.get("name"), message.get("tool_calls"), message.get("tool_call_id")]
    text = _encode(rest)
    return b"%b\0json %b\0end %d" % (role.encode(), text, len(text))


def _text(role: str, content: str) -> bytes:
    text = content.encode("utf-8", "surrogatepass")
    return b"%b\0%b\0end %d" % (role.encode(), text, len(text))
