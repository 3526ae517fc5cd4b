"""Where has a secret gone? It is looked for in the forms in which bytes are written as text."""

import base64
from collections.abc import Mapping


def forms(secret: str) -> list[bytes]:
    """Return what to look for: as it is, as hexadecimal digits, in Base64 at each alignment.

    The ends of a Base64 text depend on its neighbours and are left out.
    """
    raw = secret.encode()
    coded = [base64.b64encode(b"\0" * lead + raw)[4 if lead else 0 : -4] for lead in range(3)]
    return [raw, raw.hex().encode(), *coded, *(text.translate(_URL) for text in coded)]


_URL = bytes.maketrans(b"+/", b"-_")


def found(secret: str, places: Mapping[str, bytes]) -> list[str]:
    """Return the places that hold `secret`."""
    looked_for = forms(secret)
    return [name for name, text in places.items() if any(form in text for form in looked_for)]
