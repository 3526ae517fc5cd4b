"""Which limit did an upstream name with its 429? Read from the code in a failure's reason."""

import re

from arkway.routing.gauge import Limited

# Ark: ModelAccountRpmRateLimitExceeded, RateLimitExceeded.EndpointTPMExceeded,
# InflightBatchsizeExceeded; OpenAI: requests, tokens.
_NAMES = (
    (re.compile(r"inflight|in_flight|concurren", re.IGNORECASE).search, Limited.IN_FLIGHT),
    (re.compile(r"tpm|tokens", re.IGNORECASE).search, Limited.TOKENS),
    (re.compile(r"rpm|requests", re.IGNORECASE).search, Limited.REQUESTS),
)


def which_limit(reason: str) -> Limited:
    """Return the limit that a code names; UNKNOWN where it names none."""
    for search, limited in _NAMES:
        if search(reason):
            return limited
    return Limited.UNKNOWN
