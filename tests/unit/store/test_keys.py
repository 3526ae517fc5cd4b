import re

import pytest

from arkway.model.key_digest import digest_of_hash, key_digest
from arkway.store import audit, keys, models, tenants
from arkway.store.changes import change, reading
from arkway.store.problems import Refused
from support.stores import do, refusal, view_of

FULL = {
    "name": "batch",
    "tenant": "research",
    "models": ["Doubao-pro-32k"],
    "allowed_networks": ["10.0.0.0/8", "2001:db8::/32"],
    "denied_networks": ["10.1.0.0/16"],
    "requests_per_min": 60,
    "tokens_per_min": 10_000,
    "concurrency": 4,
    "total_tokens": 10**12,
    "budget": "12.5",
    "budget_period": "month",
    "on_disconnect": "drain",
}


def test_a_new_key_is_sk_and_48_characters_and_found_by_its_digest(store, tmp_path):
    new = do(store, keys.create, {"name": "a"})

    assert re.fullmatch(r"sk-[A-Za-z0-9]{48}", new.text)
    (digest,) = view_of(tmp_path).keys
    assert digest == key_digest(store.secrets.api_keys, new.text.encode())
    assert new.text not in repr(new)
    assert keys.new_text() != keys.new_text()


def test_no_row_holds_the_text(store, tmp_path):
    new = do(store, keys.create, {"name": "a"})
    do(store, keys.rotate, "a")

    for file in tmp_path.iterdir():
        assert new.text.encode() not in file.read_bytes()


def test_every_rule_is_kept_and_reaches_the_worker(store, tmp_path):
    do(store, tenants.create, {"name": "research"})
    record = do(store, keys.create, {**FULL, "expires": "30d"}).record

    (spec,) = view_of(tmp_path).keys.values()
    assert spec.id == record.id
    assert (spec.name, spec.tenant, spec.models) == ("batch", "research", {"Doubao-pro-32k"})
    assert spec.expires_unix_s - record.created_unix_ms // 1000 == 30 * 86_400
    assert list(map(str, spec.allowed_networks)) == FULL["allowed_networks"]
    assert list(map(str, spec.denied_networks)) == FULL["denied_networks"]
    limits = spec.limits
    assert (limits.requests_per_min, limits.tokens_per_min, limits.concurrency) == (60, 10_000, 4)
    assert (limits.total_tokens, limits.budget_nano) == (10**12, 12_500_000_000)
    assert (limits.budget_period, spec.on_disconnect) == ("month", "drain")
    assert record.shown()["budget"] == "12.50"


def test_all_problems_come_at_once_with_their_parameters(store):
    raw = {
        "name": "a",
        "tenant": "nobody",
        "models": ["Doubao-pro-32"],
        "expires": "soon",
        "budget": "1.5e3",
        "allowed_networks": ["10.0.0.1/8"],
        "denied_networks": ["elsewhere"],
        "concurrency": 0,
        "on_disconnect": "drian",
        "rpm": 1,
    }

    found = {line.partition(":")[0]: line for line in refusal(store, keys.create, raw)}

    assert set(found) == set(raw) - {"name"}
    assert "did you mean Doubao-pro-32k?" in found["models"]
    assert "did you mean 10.0.0.0/8?" in found["allowed_networks"]
    assert 'did you mean "drain"?' in found["on_disconnect"]
    with reading(store) as connection:
        assert keys.count(connection) == 0


def test_too_many_networks_are_refused(store):
    many = [f"10.0.{n // 256}.{n % 256}/32" for n in range(keys.MAX_NETWORKS + 1)]

    (problem,) = refusal(store, keys.create, {"name": "a", "allowed_networks": many})
    assert problem == f"allowed_networks: has more than {keys.MAX_NETWORKS} networks"


def test_an_alias_in_an_allow_list_means_its_model(store):
    do(store, models.edit, "Doubao-pro-32k", {"aliases": ["old"]})

    new = do(store, keys.create, {"name": "a", "models": ["old", "Doubao-pro-32k"]})

    assert new.record.key.models == ("Doubao-pro-32k",)


def test_a_name_is_given_again_once_its_key_is_revoked(store):
    do(store, keys.create, {"name": "a"})
    assert refusal(store, keys.create, {"name": "a"}) == ['name: "a" exists already']

    do(store, keys.revoke, "a")

    do(store, keys.create, {"name": "a"})


def test_an_edit_changes_what_is_given_and_nothing_else(store):
    do(store, tenants.create, {"name": "research"})
    record = do(store, keys.create, {**FULL, "expires": "30d"}).record

    edited = do(store, keys.edit, "batch", {"budget": None, "expires": "none", "enabled": False})

    assert edited.id == record.id
    changed = {k for k, v in edited.shown().items() if record.shown()[k] != v}
    assert changed == {"budget", "budget_nano", "expires_unix_s", "enabled"}
    assert refusal(store, keys.edit, "batc", {})[0].endswith("did you mean batch?")


def test_rotation_overlaps_and_counts_as_one_key(store, tmp_path):
    old = do(store, keys.create, {"name": "a"})
    new = do(store, keys.rotate, "a", 2)

    view = view_of(tmp_path)
    by_text = {
        text: view.keys[key_digest(store.secrets.api_keys, text.encode())]
        for text in (old.text, new.text)
    }
    assert {spec.id for spec in by_text.values()} == {old.record.id}
    assert by_text[new.text].expires_unix_s is None
    left_s = by_text[old.text].expires_unix_s - old.record.created_unix_ms // 1000
    assert 7200 <= left_s < 7210


def test_an_old_text_never_outlives_the_key(store, tmp_path):
    record = do(store, keys.create, {"name": "a", "expires": "1d"}).record
    do(store, keys.rotate, "a", 48)

    ends = {spec.expires_unix_s for spec in view_of(tmp_path).keys.values()}
    assert ends == {record.key.expires_unix_s}


@pytest.mark.parametrize(("overlap_h", "texts"), [(0, 1), (1, 2)])
def test_there_are_two_texts_at_most(store, tmp_path, overlap_h, texts):
    do(store, keys.create, {"name": "a"})
    do(store, keys.rotate, "a", 24)
    last = do(store, keys.rotate, "a", overlap_h)

    digests = view_of(tmp_path).keys
    assert len(digests) == texts
    assert key_digest(store.secrets.api_keys, last.text.encode()) in digests


@pytest.mark.parametrize("overlap_h", [-1, keys.MAX_OVERLAP_H + 1])
def test_an_overlap_has_bounds(store, overlap_h):
    do(store, keys.create, {"name": "a"})

    assert refusal(store, keys.rotate, "a", overlap_h)[0].startswith("overlap_h: must be")


def test_revoking_is_for_ever(store, tmp_path):
    record = do(store, keys.create, {"name": "a"}).record
    do(store, keys.rotate, "a")

    do(store, keys.revoke, "a")

    assert view_of(tmp_path).keys == {}
    for work in (keys.revoke, keys.rotate):
        assert "for ever" in refusal(store, work, record.id)[0]
    assert "for ever" in refusal(store, keys.edit, record.id, {"enabled": True})[0]
    with reading(store) as connection:
        assert keys.list_all(connection) == []
        assert len(keys.list_all(connection, with_revoked=True)) == 1


def test_a_key_can_be_taken_over_by_its_hash(store, tmp_path):
    do(store, keys.take_over, {"name": "a"}, b"\x01" * 32)

    assert list(view_of(tmp_path).keys) == [digest_of_hash(store.secrets.api_keys, b"\x01" * 32)]
    (problem,) = refusal(store, keys.take_over, {"name": "b"}, b"\x01" * 32)
    assert problem.startswith("hash: ")


def test_a_change_that_fails_leaves_nothing(store, tmp_path):
    before = view_of(tmp_path).revision

    with pytest.raises(Refused), change(store, "tester") as now:
        keys.create(now, {"name": "a"})
        keys.create(now, {"name": "a"})

    after = view_of(tmp_path)
    assert (after.revision, after.keys) == (before, {})
    with reading(store) as connection:
        assert audit.newest(connection, limit=9) == []


HOSTILE = ["' OR '1'='1", "a'; DROP TABLE api_keys; --", "名前", "a%_\\", '"', "x" * 128]


@pytest.mark.parametrize("text", HOSTILE)
def test_any_text_is_only_a_text(store, text):
    do(store, tenants.create, {"name": text})
    do(store, keys.create, {"name": text, "tenant": text})

    record = do(store, keys.edit, text, {"enabled": False})

    assert (record.key.name, record.key.tenant) == (text, text)
    assert refusal(store, keys.edit, text + "!", {"enabled": True})
    with reading(store) as connection:
        assert [row.noun for row in audit.newest(connection, limit=9)] == ["tenant", "key", "key"]


def test_the_audit_says_who_changed_what_and_no_secret(store):
    new = do(store, keys.create, {"name": "a"})
    do(store, keys.edit, "a", {"concurrency": 3})
    do(store, keys.rotate, "a", 1)
    do(store, keys.revoke, "a")

    with reading(store) as connection:
        rows = audit.newest(connection, limit=9)
    assert [(row.actor, row.action, row.noun_id) for row in rows] == [
        ("tester", action, new.record.id) for action in ("create", "edit", "rotate", "revoke")
    ]
    assert (rows[1].before, rows[1].after) == ({"concurrency": None}, {"concurrency": 3})
    assert new.text not in repr(rows)
    digest = key_digest(store.secrets.api_keys, new.text.encode())
    assert digest.hex() not in repr(rows)
