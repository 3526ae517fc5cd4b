import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arkway.store import keys
from arkway.store.changes import reading
from arkway.store.paging import Page
from support.stores import do, fresh_store


@pytest.mark.slow
@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.integers(1, 3), max_size=12), st.integers(1, 5))
def test_pages_of_any_size_are_the_list_even_among_equal_times(tmp_path, times, limit):
    store = fresh_store(tmp_path)
    for number, time_ms in enumerate(times):
        do(store, keys.create, {"name": f"k{number}"})
        with store.engine.begin() as connection:
            connection.exec_driver_sql(
                "UPDATE api_keys SET created_unix_ms = ? WHERE name = ?", (time_ms, f"k{number}")
            )

    found, after = [], ()
    with reading(store) as connection:
        for _ in range(len(times) + 1):
            part = keys.page(connection, Page(limit, after))
            found += part.items
            if part.after is None:
                break
            after = part.after
        assert found == keys.list_all(connection)
