import json


def test_a_token_is_printed_once_listed_and_revoked(arkway):
    status, out, err = arkway("admin", "tokens", "create", "--name", "a", "--role", "admin")
    token = out.strip()
    assert status == 0
    assert token.startswith("adm-")
    assert "only time" in err

    _, out, _ = arkway("admin", "tokens", "list", "--json")
    (row,) = json.loads(out)
    assert (row["name"], row["role"]) == ("a", "admin")
    assert token not in out

    assert arkway("admin", "tokens", "revoke", "a")[:2] == (0, f"revoked a ({row['id']})\n")
    assert arkway("admin", "tokens", "list", "--json")[1] == "[]\n"
    _, out, _ = arkway("admin", "tokens", "list", "--all")
    assert "revoked" in out


def test_a_viewer_is_what_one_gets_without_asking(arkway):
    _, out, _ = arkway("admin", "tokens", "create", "--name", "a", "--expires", "30d", "--json")
    made = json.loads(out)

    assert made["role"] == "viewer"
    assert made["expires_unix_s"]


def test_mistakes_are_a_line_each(arkway):
    status, _, err = arkway("admin", "tokens", "create", "--name", "a", "--expires", "soon")
    assert (status, len(err.splitlines())) == (2, 1)
    status, _, err = arkway("admin", "tokens", "revoke", "a")
    assert status == 2
    assert err.startswith("arkway: token: is not an admin token here")


def test_sessions_are_listed_and_ended(arkway):
    assert arkway("admin", "sessions", "list", "--json")[1] == "[]\n"
    assert arkway("admin", "sessions", "list")[0] == 0
    assert arkway("admin", "sessions", "end")[1] == "ended 0 sessions\n"
    assert arkway("admin", "sessions", "end", "--json")[1] == '{"sessions": 0}\n'
    assert arkway("admin", "sessions", "end", "as_none")[0] == 2
