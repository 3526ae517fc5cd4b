import json
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from arkway.ledger.entry import Kind, Outcome
from arkway.model.ids import uuid7_head
from support.ledger_lab import LedgerLab, end, intent


def at(day):
    return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() * 1000)


def id_of(number, day):
    return f"{uuid7_head(at(day))}abc-8000-{number:012d}"


CALLS = {
    id_of(1, "2025-11-22"): ({"key": "k1", "account": "a1"}, {}),
    id_of(2, "2025-11-23"): ({"key": "k2", "account": "a2"}, {"uncached": 1, "cached": 9}),
    id_of(3, "2025-11-24"): (
        {"key": "k1", "account": "a2"},
        {"kind": Kind.VOID, "outcome": Outcome.REFUSED, "code": "rate_limit_exceeded"},
    ),
}
FIRST, SECOND, THIRD = CALLS


@pytest.fixture
def listed(arkway):
    """Return what lists the ids that `arkway calls` finds with the given flags."""
    arkway.home.mkdir(0o700)
    lab = LedgerLab(arkway.home)
    lab.open()
    for number, (request_id, (begun, ended)) in enumerate(CALLS.items()):
        asked = intent(number, at_ms=at(f"2025-11-{22 + number}"), **begun)
        finished = end(number, at_ms=asked.at_ms + 1, **ended)
        lab.write(replace(asked, request_id=request_id), replace(finished, request_id=request_id))
    lab.close()

    def ids(*flags):
        status, out, err = arkway("calls", "--json", *flags)
        assert (status, err) == (0, "")
        return [call["request_id"] for call in json.loads(out)]

    return ids


def test_calls_are_listed_newest_first_up_to_a_limit(listed):
    assert listed() == [THIRD, SECOND, FIRST]
    assert listed("--limit", "2") == [THIRD, SECOND]


@pytest.mark.parametrize(
    ("flags", "found"),
    [
        (("--key", "k1"), [THIRD, FIRST]),
        (("--account", "a2"), [THIRD, SECOND]),
        (("--account", "a2", "--key", "k2"), [SECOND]),
        (("--outcome", "refused"), [THIRD]),
        (("--code", "rate_limit_exceeded"), [THIRD]),
        (("--model", "other"), []),
        (("--since", "2025-11-23"), [THIRD, SECOND]),
        (("--until", "2025-11-23"), [SECOND, FIRST]),
        (("--since", "2025-11-23", "--until", "2025-11-23"), [SECOND]),
        (("--id", FIRST[:13]), [FIRST]),
        (("--id", FIRST, "--since", "2025-11-23"), []),
    ],
)
def test_they_are_searched(listed, flags, found):
    assert listed(*flags) == found


def test_a_table_shows_what_one_looks_for(arkway, listed):
    status, out, err = arkway("calls", "--limit", "2")

    lines = out.splitlines()
    assert (status, err) == (0, "the newest 2; --limit shows more\n")
    assert [word in lines[1] for word in (THIRD, "refused (rate_limit_exceeded)")] == [True] * 2
    assert lines[2].split()[1:4] == ["2025-11-23", "00:00:00", "completed"]
    assert "90%" in lines[2]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--outcome", "lost"), "--outcome: must be one of completed, "),
        (("--since", "yesterday"), "--since: must be a day such as 2026-01-31"),
        (("--until", "2026-02-30"), "--until: must be a day such as 2026-01-31"),
        (("--since", "2026-02-01", "--until", "2026-01-31"), "--until: must not be before --since"),
    ],
)
def test_what_cannot_be_searched_is_said(arkway, listed, flags, said):
    status, out, err = arkway("calls", *flags)

    assert (status, out) == (2, "")
    assert said in err


def test_a_key_is_named_by_its_name_or_its_id(arkway):
    made = json.loads(arkway("keys", "create", "--name", "alice", "--json")[1])
    lab = LedgerLab(arkway.home)
    lab.open()
    for number, key in ((1, made["id"]), (2, "k1")):
        request_id = id_of(number, "2025-11-24")
        asked = intent(number, key=key, at_ms=at("2025-11-24"))
        lab.write(
            replace(asked, request_id=request_id), replace(end(number), request_id=request_id)
        )
    lab.close()

    for name in ("alice", made["id"]):
        (used,) = json.loads(arkway("usage", "--by", "key", "--key", name, "--json")[1])
        assert used["key"] == made["id"]
        (call,) = json.loads(arkway("calls", "--key", name, "--json")[1])
        assert call["key"] == made["id"]
    assert json.loads(arkway("usage", "--key", "alic", "--json")[1]) == []
    (other,) = json.loads(arkway("usage", "--by", "key", "--key", "k1", "--json")[1])
    assert other["key"] == "k1"
