import json
import re
from pathlib import Path

import pytest

from arkway.simulate.ark.errors import CODES, STATUS_OF, refusal
from arkway.upstream.ark_codes import class_of_code

ROOT = Path(__file__).resolve().parents[4]


@pytest.mark.parametrize("code", CODES)
def test_every_code_has_arks_envelope(code):
    body = json.loads(refusal(code, "2100000001", "doubao").body("02abc"))

    assert set(body) == {"error"}
    assert set(body["error"]) == {"code", "message", "param", "type"}
    assert body["error"]["code"] == code
    assert body["error"]["message"].endswith(" Request id: 02abc")
    if STATUS_OF[code] in (401, 403, 404):
        assert "2100000001" in body["error"]["message"]


def test_types_by_status():
    types = {
        "InvalidParameter": "BadRequest",
        "AuthenticationError": "Unauthorized",
        "InvalidAccountStatus": "Forbidden",
        "AccountOverdueError": "Forbidden",
        "ModelNotOpen": "NotFound",
        "ServerOverloaded": "TooManyRequests",
        "InternalServiceError": "InternalServerError",
    }
    for code, kind in types.items():
        assert json.loads(refusal(code, "a", "m").body(""))["error"]["type"] == kind


def test_a_status_alone_gives_its_first_code():
    assert refusal("", "a", "m", status=429).code == "ModelAccountRpmRateLimitExceeded"
    assert refusal("", "a", "m", status=503).code == ""
    assert (refusal("New.Code", "a", "m").status, refusal("X", "a", "m", status=418).status) == (
        400, 418,
    )  # fmt: skip


def test_the_gateway_knows_every_code():
    """Two lists made apart agree on what there is."""
    assert [code for code in CODES if class_of_code(code) is None] == []


def test_nothing_of_the_gateway_is_imported():
    """Import-linter says it too, for the rooms it lists; this holds for rooms yet to come."""
    files = sorted((ROOT / "src/arkway/simulate/ark").glob("*.py"))
    found = {
        name
        for file in files
        for name in re.findall(
            r"^\s*(?:from|import) (arkway[\w.]*)", file.read_text(), re.MULTILINE
        )
    }

    assert len(files) > 10
    assert all(name.startswith("arkway.simulate.ark") for name in found), found
