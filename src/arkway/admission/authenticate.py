"""Who is asking? One extractor for the credential, one look-up. Hot path.

The format is checked before anything is looked up, so hostile credentials cost constant work and
reach nothing; the look-up is by hash, so its time tells nothing about the key's text.
"""

import re
from hashlib import sha256

from arkway.model.call import Caller, RawRequest
from arkway.model.catalogue import Snapshot
from arkway.model.errors import InvalidApiKey, KeyDisabled, MissingApiKey

_SCHEME = b"Bearer "
# Our own keys are `sk-` and 48 characters; imported ones may be longer. 256 bounds the work.
_well_formed = re.compile(rb"[A-Za-z0-9_.\-]{8,256}").fullmatch

_MISSING = (
    "You didn't provide an API key. Send it in an Authorization header using Bearer auth "
    "(Authorization: Bearer YOUR_KEY)."
)
_INVALID = "Incorrect API key provided."


def authenticate(request: RawRequest, snapshot: Snapshot) -> Caller:
    """Return the holder of the key in `request`.

    Errors:  MissingApiKey without a Bearer credential; InvalidApiKey for a malformed, repeated or
             unknown one; KeyDisabled.
    Cost:    one SHA-256 of the credential and one dict look-up.
    """
    authorization = request.authorization
    if not authorization.startswith(_SCHEME) and authorization[:7].lower() != b"bearer ":
        raise MissingApiKey(_MISSING)
    if "authorization" in request.repeated:
        raise InvalidApiKey("More than one Authorization header was sent.")
    credential = authorization[7:]
    if _well_formed(credential) is None:
        raise InvalidApiKey(_INVALID)
    key = snapshot.keys.get(sha256(credential).digest())
    if key is None:
        raise InvalidApiKey(_INVALID)
    if not key.enabled:
        raise KeyDisabled("This API key is disabled.")
    return Caller(key)
