"""Which rule of HTTP did a request break? A word for each of llhttp's and our own texts. Pure.

The texts are fixed ones (`listener.reader`); a request's bytes are never in them.
"""

# The first word whose text is in the message, in lower case, names the kind.
_KINDS = (
    ("expected lf", "line_ending"),
    ("expected cr", "line_ending"),
    ("transfer-encoding", "transfer_encoding"),
    ("more than one", "repeated_header"),
    ("content-length", "content_length"),
    ("data after", "after_close"),
    ("chunk", "chunk"),
    ("small pieces", "chunk"),
    ("too much framing", "chunk"),
    ("method", "method"),
    ("connect is not", "method"),
    ("url", "target"),
    ("request target", "target"),
    ("version", "version"),
    ("only http/1.1", "version"),
    ("expected http/", "version"),
    ("host header", "host"),
    ("header", "header"),
)
KINDS = (*dict.fromkeys(kind for _, kind in _KINDS), "other")


def kind_of(message: str) -> str:
    """Return one of KINDS for the message of a `BadRequest`."""
    lowered = message.lower()
    return next((kind for text, kind in _KINDS if text in lowered), "other")
