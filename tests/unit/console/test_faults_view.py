import pytest

from arkway.console.live import ErrorNow, Live, of_status
from arkway.console.texts import Texts, catalogue
from arkway.console.views import faults
from arkway.model.outcome import ErrorClass
from support.ops import REFUSED, account_now, status_of, trial_told

t = Texts("en")
NOW = Live(
    source="status",
    errors=(
        ErrorNow("a", "account_limited", "RateLimitExceeded", 2, 90),
        ErrorNow("a", "transient", "timeout", 5, 5),
        ErrorNow("b", "broken", "AccountOverdueError", 0, 400),
    ),
)


def test_a_line_tells_the_last_hour_and_what_it_was_mostly():
    assert faults.cell("a", NOW) == {"text": "7", "sub": "timeout"}
    assert faults.cell("b", NOW)["text"] == "0"
    assert faults.cell("b", Live())["text"] == "–", "nobody knows"


def test_all_errors_are_listed_the_latest_trouble_first():
    rows = faults.rows(t, NOW)

    assert [each["name"] for each in rows] == ["a", "a", "b"]
    shown = [[cell["text"] for cell in each["cells"]] for each in rows]
    assert shown[0] == ["a", "timeout", "a passing fault", "5", "5"]
    assert shown[2] == ["b", "AccountOverdueError", "the account is refused", "0", "400"]
    assert len({each["id"] for each in rows}) == 3
    many = Live(errors=tuple(ErrorNow("a", "c", str(at), at, at) for at in range(500)))
    assert len(faults.rows(t, many)) == 100


def test_errors_come_with_the_status():
    errors = [
        {"error_class": "transient", "code": "timeout", "hour": 1, "day": 2},
        {"code": "new", "hour": "x"},
        "nonsense",
    ]
    found = of_status(status_of("/", account_now("a", errors=errors), account_now("b"))).errors

    assert found == (ErrorNow("a", "transient", "timeout", 1, 2), ErrorNow("a", "", "new", 0, 0))


def test_a_test_that_went_well():
    assert faults.verdict(t, trial_told())[0] == "It answers"
    assert faults.verdict(t, trial_told())[2] == "good"
    shown = dict(faults.pairs(t, trial_told()))
    assert shown["Took"] == "340 ms, of which 12 ms to connect"
    assert shown["Used"].startswith("8 input and 1 output tokens, ¥")
    assert "Error code" not in shown


def test_a_test_that_did_not():
    found = trial_told(**REFUSED)
    headline, todo, tone = faults.verdict(t, found)

    assert (headline, tone) == ("It does not answer", "bad")
    assert "check its credential" in todo
    shown = dict(faults.pairs(t, found))
    assert (shown["Status"], shown["Error code"]) == ("403", "AccountOverdueError")
    assert shown["Class"] == "the account is refused"
    silent = trial_told(is_ok=False, ending="not_sent", error_class="transient", status=0)
    assert dict(faults.pairs(t, silent))["Status"] == "–"


@pytest.mark.parametrize("error_class", ErrorClass)
def test_every_class_has_a_name(error_class):
    assert f"fault.{error_class.value}" in catalogue()
