"""What does llama.cpp put on the wire? Record it again: `make fixtures`, then read the diff.

Writes tests/fixtures/llamacpp_*: the bodies as sent, HTTP framing removed. Seeds are fixed, so
only ids, times and versions should change from one recording to the next.
"""

import asyncio
import json
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

from arkway.local.supervise import LocalModels
from arkway.local.weights import find_weights

FIXTURES = Path(__file__).parent.parent / "tests" / "fixtures"

HELLO: dict[str, object] = {"messages": [{"role": "user", "content": "hello"}], "seed": 1}
RAINBOW = "Answer with emoji only: a rainbow \N{RAINBOW}\N{RAINBOW}"
EMOJI: dict[str, object] = {"messages": [{"role": "user", "content": RAINBOW}], "seed": 2}
STREAM: dict[str, object] = {"stream": True, "max_tokens": 4}
USAGE: dict[str, object] = {"stream_options": {"include_usage": True}}
IMAGE = [{"type": "image_url", "image_url": {"url": "data:,x"}}]

ANSWERS = {
    "llamacpp_answer.json": HELLO | {"max_tokens": 24},
    "llamacpp_stream.txt": HELLO | STREAM | USAGE,
    "llamacpp_stream_no_usage.txt": HELLO | STREAM,
    # an answer that opens with half a character has no role delta
    "llamacpp_stream_no_role.txt": EMOJI | STREAM | USAGE | {"temperature": 1.5},
}
REFUSALS = {
    "not JSON": b'{"messages":',
    "no messages": b"{}",
    "wrong type": json.dumps(HELLO | {"temperature": "hot"}).encode(),
    "message without role": b'{"messages": [{"content": "x"}]}',
    "image": json.dumps({"messages": [{"role": "user", "content": IMAGE}]}).encode(),
    "prompt beyond the window": json.dumps(
        {"messages": [{"role": "user", "content": "word " * 3000}]}
    ).encode(),
}


async def main() -> None:
    """Run one local model and record every answer and refusal."""
    models = LocalModels(find_weights(), count=1, log=lambda *_: None)
    await models.start()
    try:
        for name, request in ANSWERS.items():
            status, body = ask(models.base_urls[0], json.dumps(request).encode())
            assert status == 200, (name, body)
            (FIXTURES / name).write_bytes(body)
        refused = [ask(models.base_urls[0], request) for request in REFUSALS.values()]
    finally:
        await models.stop()
    errors = [
        {"case": case, "status": status, "body": json.loads(body)}
        for case, (status, body) in zip(REFUSALS, refused, strict=True)
    ]
    (FIXTURES / "llamacpp_errors.json").write_text(json.dumps(errors, indent=1) + "\n")


def ask(base_url: str, body: bytes) -> tuple[int, bytes]:
    """POST a chat completion and return status and body."""
    url = urlsplit(base_url)
    connection = HTTPConnection(url.netloc, timeout=60)
    try:
        connection.request("POST", f"{url.path}/chat/completions", body)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


if __name__ == "__main__":
    asyncio.run(main())
