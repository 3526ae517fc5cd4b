"""Are the closed lists of the documentation those of the code? Both ways, row for row.

Error codes, upstream codes and their classes, parameters, log events, licences.
"""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

from arkway.admission.messages import ROLES
from arkway.admission.rules import RULES
from arkway.model import errors
from arkway.model.outcome import RETRIED, Ending, ErrorClass
from arkway.upstream.ark_codes import ARK_CODES
from arkway.upstream.dialects import ARK_PARAMETERS

ROOT = Path(__file__).resolve().parents[2]
ERRORS = (ROOT / "docs" / "errors.md").read_text()
API = (ROOT / "docs" / "api.md").read_text()
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
LICENCES = (ROOT / "docs" / "adr" / "0011-licences.md").read_text()


def rows(text: str) -> list[list[str]]:
    """Return the cells of the Markdown tables in `text`, headings left out."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    rules = [at for at, cells in enumerate(table) if set("".join(cells)) <= set("-:")]
    headings = {at - 1 for at in rules} | set(rules)
    return [cells for at, cells in enumerate(table) if at not in headings]


def section(text: str, heading: str) -> str:
    """Return what stands under `heading`, up to the next one of the same level."""
    level = heading.split(" ", maxsplit=1)[0]
    begin = text.index(f"\n{heading}\n") + len(heading) + 2
    return re.split(rf"^{level} ", text[begin:], maxsplit=1, flags=re.MULTILINE)[0]


def quoted(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def subclasses(base: type) -> Iterator[type]:
    for child in base.__subclasses__():
        yield child
        yield from subclasses(child)


# -- errors ---------------------------------------------------------------------------------------


def test_the_codes_are_those_of_the_code():
    documented = [
        (int(status), kind.strip("`"), code.strip("`"), retry != "no")
        for status, kind, code, retry, _ in rows(section(ERRORS, "## The codes"))
    ]
    real = [
        (error.status, error.type, error.code, error.retryable)
        for error in subclasses(errors.GatewayError)
        if inspect.getmodule(error) is errors
    ]

    assert sorted(documented) == sorted(real)
    rates = [row for row in documented if row[2] == "rate_limit_exceeded"]
    assert len({code for _, _, code, _ in documented}) == len(documented) - len(rates) + 1


def test_codes_that_come_with_retry_after_are_marked():
    """`retry-after` is promised with every 429 and 503 but those that no waiting cures."""
    for status, _, code, retry, _ in rows(section(ERRORS, "## The codes")):
        assert retry != "no" or status != "503", code
        assert (retry == "after") == (status in ("429", "503") and retry != "no"), code


def test_every_code_says_what_to_do():
    advice = section(ERRORS, "## What to do")
    told = {
        code for line in re.findall(r"^\*\*`.*?:", advice, re.MULTILINE) for code in quoted(line)
    }

    assert told == {code.strip("`") for _, _, code, *_ in rows(section(ERRORS, "## The codes"))}


def test_upstream_codes_and_classes():
    begin, end = ERRORS.index("<!-- ark codes -->"), ERRORS.index("<!-- end -->")
    table = rows(ERRORS[begin:end])

    documented = {
        code: ErrorClass(name.strip("`")) for name, codes in table for code in quoted(codes)
    }

    assert documented == ARK_CODES
    assert [name.strip("`") for name, _ in table] == [member.value for member in ErrorClass]


def test_what_each_class_does():
    classes = {
        name.strip("`"): then
        for name, then, *_ in rows(
            section(ERRORS, "## What upstreams say").split("The codes of")[0]
        )
    }

    assert set(classes) == {member.value for member in ErrorClass}
    again = {name for name, then in classes.items() if then.startswith(("next account", "one"))}
    assert again == {member.value for member in RETRIED}


# -- parameters -----------------------------------------------------------------------------------


def test_parameters():
    begin, end = API.index("<!-- parameters -->"), API.index("<!-- end -->")
    table = {name.strip("`"): sent for name, _, sent in rows(API[begin:end])}
    others = {"model", "messages", "stream", "stream_options", "n"}
    others |= {"max_tokens", "max_completion_tokens"}

    assert set(table) == set(RULES) | others
    sent = {name for name, how in table.items() if how == "yes"}
    assert sent == ARK_PARAMETERS | {"stream"}


def test_roles():
    (rule,) = [rule for name, rule in rows(section(API, "### Messages")) if name == "`role`"]

    assert set(ROLES) <= set(quoted(rule))


# -- log ------------------------------------------------------------------------------------------


def test_log_events():
    """Every event that is logged anywhere, by the literal it is logged with."""
    source = "\n".join(path.read_text() for path in (ROOT / "src").rglob("*.py"))
    logged = set(re.findall(r"\.event\(\s*[^,]+,\s*\"(\w+)\"", source))
    logged |= set(re.findall(r"_log\(\s*\"(\w+)\"", source))  # of the local model's servers
    table = rows(section(OPERATIONS, "## Log").partition("Every line has")[0])

    assert {name.strip("`") for name, *_ in table} == logged


def test_endings():
    table = rows(section(OPERATIONS, "## Log").partition("Every line has")[2])

    # A completed attempt is not logged, and those that we ended ourselves are not the account's.
    assert {name.strip("`") for name, _ in table} == set(Ending) - {
        "completed",
        "aborted",
        "hedge_lost",
    }


# -- licences -------------------------------------------------------------------------------------


def test_every_package_that_runs_has_a_licence():
    locked = set()
    for lock in ("run", "model"):
        text = (ROOT / "requirements" / f"{lock}.lock").read_text()
        locked |= set(re.findall(r"^([a-z0-9-]+)==", text, re.MULTILINE))
    named = {
        re.split(r",? with ", name.lower())[0]
        for cell, *_ in rows(LICENCES)
        for name in cell.split(", ")
    }

    assert locked <= named
