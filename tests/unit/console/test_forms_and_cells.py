from arkway.console import cells, forms


def test_empty_is_none_and_what_is_no_number_is_the_apis_to_refuse():
    values = {"a": " 12 ", "b": "", "c": "1.5", "d": None}
    assert [forms.whole(values, name) for name in ("a", "b", "c", "d", "e")] == [
        12,
        None,
        "1.5",
        None,
        None,
    ]
    assert forms.taken(values, "a") == "12"


def test_lists_and_tables():
    values = {"networks": "10.0.0.0/8, ::1\n\n 192.168.0.0/16 ", "models": "a = ep-1\nb=ep-2\nc"}
    assert forms.listed(values, "networks") == ["10.0.0.0/8", "::1", "192.168.0.0/16"]
    assert forms.table(values, "models") == {"a": "ep-1", "b": "ep-2", "c": ""}


def test_a_change_is_only_what_differs():
    assert forms.changed({"a": 1, "b": None, "c": [1]}, {"a": 1, "b": 2, "c": [1]}) == {"b": None}


def test_a_select_has_a_value():
    assert forms.select("x", "X", [("a", "A"), ("b", "B")])["value"] == "a"
    assert forms.select("x", "X", [])["value"] == ""


def test_a_cell_is_no_longer_than_a_cell():
    assert len(cells.text("x" * 10_000)["text"]) == 400
    assert cells.text("a", "b", href="/x", strong=True) == {
        "text": "a", "sub": "b", "href": "/x", "strong": True
    }  # fmt: skip


def test_a_meter_stays_in_its_bar():
    assert cells.meter("l", 300, 100, "300 / 100")["share"] == 1.0
    assert cells.meter("l", 0, 0, "")["share"] == 1.0
    assert cells.meter("l", -1, 10, "")["share"] == 0.0
    assert cells.meter("l", 85, 100, "")["tone"] == "warn"
