import json
import sqlite3

import pytest

from support.stores import SECRET


@pytest.fixture(autouse=True)
def one_secret(arkway, monkeypatch):
    monkeypatch.setenv("ARKWAY_SECRET_KEY", SECRET)


def test_tenants(arkway):
    assert arkway("tenants", "create", "a b") == (0, "added tenant a b\n", "")
    arkway("keys", "create", "--name", "k", "--tenant", "a b")

    listed = json.loads(arkway("tenants", "list", "--json")[1])

    assert [(each["name"], each["keys"]) for each in listed] == [("a b", 1), ("default", 0)]


def test_the_check_finds_a_whole_store_whole(arkway):
    assert arkway("db", "check")[0] == 2  # there is none
    arkway("keys", "create", "--name", "a")

    status, out, _ = arkway("db", "check", "--json")

    found = json.loads(out)
    assert (status, found["ok"], found["keys"]) == (0, True, 1)
    assert "no problems" in arkway("db", "check")[1]
    assert arkway("db", "upgrade")[0] == 0


def test_the_check_names_a_row_that_refers_to_nothing(arkway):
    arkway("keys", "create", "--name", "a")
    with sqlite3.connect(arkway.home / "store.db") as connection:
        connection.execute("UPDATE api_keys SET tenant = 'nobody'")
    connection.close()

    status, out, err = arkway("db", "check")

    assert (status, out) == (1, "")
    assert "api_keys: row 1 refers to nothing" in err


def test_a_store_of_another_schema_is_one_line_and_status_2(arkway):
    arkway("keys", "create", "--name", "a")
    with sqlite3.connect(arkway.home / "store.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0000'")
    connection.close()

    status, out, err = arkway("keys", "list")

    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "run `arkway db upgrade`" in err


def test_the_audit_names_who_and_what(arkway):
    made = arkway("keys", "create", "--name", "a")[1].strip()
    arkway("keys", "edit", "a", "--concurrency", "3")

    rows = json.loads(arkway("audit", "--json")[1])
    _, out, _ = arkway("audit", "--noun", "key", "--limit", "1")

    assert [row["action"] for row in rows] == ["create", "edit"]
    assert all(row["actor"].startswith("cli:") for row in rows)
    assert "concurrency: None -> 3" in out
    assert made not in json.dumps(rows)


def test_models_and_prices(arkway):
    add = "models add mine --upstream-model m --context-tokens 9 --max-output-tokens 9 --alias my"
    status, _, err = arkway(*add.split())
    assert status == 0
    assert "arkway prices set 'mine'" in err
    served = {m["name"]: m["is_served"] for m in json.loads(arkway("models", "list", "--json")[1])}
    assert not served["mine"]
    assert served["Doubao-pro-32k"]

    arkway("prices", "set", "my", "--input", "0.8", "--output", "2")

    (price,) = json.loads(arkway("prices", "list", "--model", "mine", "--json")[1])
    assert (price["input"], price["cached_input"], price["output"]) == ("0.80", "0.80", "2.00")
    assert "no: disabled" not in arkway("models", "list")[1]
    assert arkway("models", "edit", "mine", "--disable", "--total-s", "5")[0] == 0
    assert "no: disabled" in arkway("models", "list")[1]
    assert "0.80" in arkway("prices", "list")[1]
