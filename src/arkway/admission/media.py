"""Is the body of a kind we read? Content type, content encoding, and the caller's deadline."""

from arkway.model.call import RawRequest
from arkway.model.errors import UnsupportedMediaType

_JSON = b"application/json"


def check_media_type(request: RawRequest) -> None:
    """Refuse anything but uncompressed `application/json`; parameters such as charset are fine."""
    content_type = request.content_type
    if (
        content_type != _JSON and content_type.partition(b";")[0].strip().lower() != _JSON
    ) or "content-type" in request.repeated:
        raise UnsupportedMediaType("Send 'Content-Type: application/json'.")
    if request.content_encoding and request.content_encoding.strip().lower() != b"identity":
        raise UnsupportedMediaType(
            "Request bodies must not be compressed: leave out Content-Encoding."
        )


def caller_deadline_s(request: RawRequest) -> float | None:
    """Return how long the caller waits for a byte, where its SDK says so. Unit: s.

    Source: `x-stainless-read-timeout`, sent by the official OpenAI SDKs.
    """
    if not request.read_timeout:
        return None
    try:
        seconds = float(request.read_timeout)
    except ValueError:
        return None
    return seconds if 0 < seconds < float("inf") else None
