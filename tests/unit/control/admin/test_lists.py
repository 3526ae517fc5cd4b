"""Every list is read in pages, and the pages together are the list."""

import pytest

from arkway.control.admin.operations import OPERATIONS
from support.admin_lab import AdminLab

V1 = "/admin/v1"
LISTS = [each for each in OPERATIONS if each.name.startswith("list_")]
BOOKS = ("list_usage", "list_calls")  # test_books.py


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    with AdminLab(tmp_path_factory.mktemp("lists")) as lab:
        for n in range(5):
            lab.ask("POST", f"{V1}/tenants", {"name": f"t{n}"})
            lab.ask("POST", f"{V1}/keys", {"name": f"k{n}"})
            near = {"dialect": "openai", "base_url": "http://127.0.0.1:9"}
            lab.ask("POST", f"{V1}/accounts", {"name": f"a{n}", **near})
            lab.ask("POST", f"{V1}/tokens", {"name": f"n{n}"})
            price = {"model": "Doubao-pro-32k", "input": str(n), "output": "1"}
            assert lab.ask("POST", f"{V1}/prices", price).status == 201
            lab.login()
        yield lab


@pytest.mark.parametrize(
    "path", [e.path for e in LISTS if e.name not in BOOKS] + [f"{V1}/prices?model=Doubao-pro-32k"]
)
def test_the_pages_are_the_list(full, path):
    joint = "&" if "?" in path else "?"
    whole = full.ask("GET", f"{path}{joint}limit=200").json
    assert whole["next_cursor"] is None
    assert len(whole["items"]) >= 4

    for limit in (1, 2, 3):
        found, cursor, pages = [], None, 0
        while pages < 250:
            more = f"&cursor={cursor}" if cursor else ""
            page = full.ask("GET", f"{path}{joint}limit={limit}{more}").json
            assert 0 < len(page["items"]) <= limit
            found += page["items"]
            cursor, pages = page["next_cursor"], pages + 1
            if cursor is None:
                break
        assert found == whole["items"]


def test_a_page_is_not_moved_by_what_is_made_meanwhile(full):
    first = full.ask("GET", f"{V1}/audit?limit=3").json
    full.ask("POST", f"{V1}/tenants", {"name": "late"})

    second = full.ask("GET", f"{V1}/audit?limit=3&cursor={first['next_cursor']}").json

    assert second["items"][0]["id"] == first["items"][-1]["id"] - 1
