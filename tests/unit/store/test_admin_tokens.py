import pytest

from arkway.store import admin_sessions, admin_tokens, keys
from arkway.store.admin_tokens import Role, is_token
from arkway.store.changes import reading
from arkway.store.paging import Page
from arkway.store.problems import NotFound, Refused
from support.stores import do


def find(store, text):
    with reading(store) as connection:
        return admin_tokens.find(connection, store.secrets.admin, text)


def test_a_token_is_found_by_its_text_alone(store):
    new = do(store, admin_tokens.create, {"name": "a", "role": "operator"})

    assert is_token(new.text)
    assert find(store, new.text) == new.record
    assert find(store, new.text[:-1] + "~") is None
    assert find(store, new.text.removeprefix("adm-")) is None
    assert new.text not in repr(new)


def test_tokens_and_keys_have_digests_of_different_secrets(store):
    assert store.secrets.admin != store.secrets.api_keys
    key = do(store, keys.create, {"name": "k"}).text
    token = do(store, admin_tokens.create, {"name": "a"}).text

    assert find(store, key) is None
    assert not keys.PREFIX.startswith(admin_tokens.PREFIX)
    assert token.startswith(admin_tokens.PREFIX)


def test_a_revoked_token_is_known_and_opens_nothing(store):
    new = do(store, admin_tokens.create, {"name": "a"})
    do(store, admin_tokens.revoke, "a")

    found = find(store, new.text)
    assert not found.is_good(0)
    with pytest.raises(Refused):
        do(store, admin_tokens.revoke, new.record.id)
    with pytest.raises(NotFound):
        do(store, admin_tokens.revoke, "a")
    do(store, admin_tokens.create, {"name": "a"})  # its name is free


def test_an_expired_token_opens_nothing(store):
    new = do(store, admin_tokens.create, {"name": "a", "expires": "1d"})
    ends_s = new.record.expires_unix_s

    assert new.record.is_good(ends_s - 1)
    assert not new.record.is_good(ends_s)


@pytest.mark.parametrize(
    ("raw", "place"),
    [
        ({}, "name"),
        ({"name": "a", "role": "root"}, "role"),
        ({"name": "a", "expires": "never"}, "expires"),
        ({"name": "a", "rol": "admin"}, "rol"),
        ({"name": "x\n"}, "name"),
    ],
)
def test_problems_are_named(store, raw, place):
    with pytest.raises(Refused) as refusal:
        do(store, admin_tokens.create, raw)

    assert place in [problem.path for problem in refusal.value.problems]


def test_roles_reach_what_is_below_them():
    reach = {role: [other for other in Role if role.covers(other)] for role in Role}

    assert reach == {
        Role.VIEWER: [Role.VIEWER],
        Role.OPERATOR: [Role.VIEWER, Role.OPERATOR],
        Role.ADMIN: list(Role),
    }


def test_a_session_that_is_over_is_swept_by_the_next_login(store):
    token = do(store, admin_tokens.create, {"name": "a"}).record
    do(store, admin_sessions.begin, token, "old", "127.0.0.1", 1)
    new = do(store, admin_sessions.begin, token, "new", "127.0.0.1", 10**15)

    with reading(store) as connection:
        assert admin_sessions.page(connection, Page(9)).items == [new]


def test_noting_that_a_session_is_in_use_is_no_change_for_workers(store):
    token = do(store, admin_tokens.create, {"name": "a"}).record
    session = do(store, admin_sessions.begin, token, "text", "127.0.0.1", 10**15)

    def revision():
        with store.engine.connect() as connection:
            return connection.exec_driver_sql("SELECT number FROM revision").scalar_one()

    before = revision()
    admin_sessions.touch(store, session, session.seen_unix_ms + 5)

    assert revision() == before
    with reading(store) as connection:
        (seen,) = admin_sessions.page(connection, Page(9)).items
    assert seen.seen_unix_ms == session.seen_unix_ms + 5
    assert seen.is_good(session.seen_unix_ms + 10, 6)
    assert not seen.is_good(session.seen_unix_ms + 11, 6)


def test_a_csrf_token_is_of_one_cookie_and_one_gateway():
    texts = {
        admin_sessions.csrf_text(secret, text) for secret in (b"1", b"2") for text in ("a", "b")
    }

    assert len(texts) == 4
