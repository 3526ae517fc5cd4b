"""Does docs/simulator.md name everything there is, and would its examples be accepted?"""

import json
import re
import shlex
import tomllib
from pathlib import Path

import pytest
import typer

from arkway.cli.app import whole
from arkway.simulate.ark import settings
from arkway.simulate.ark.faults import INSTEAD, KINDS, FaultRule
from arkway.simulate.ark.log_io import Record
from arkway.simulate.ark.prompt import Wish, wish_of
from arkway.simulate.ark.settings import rule_of, settings_of
from support.sim import KINDS as KINDS_IN_TESTS

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "simulator.md").read_text()


def section(title):
    return TEXT.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def named(title):
    """Return the names in the first column of the tables of a section."""
    firsts = re.findall(r"^\| (`.*?) \|", section(title), re.MULTILINE)
    return [name for first in firsts for name in re.findall(r"`([\w]+)`", first)]


def test_every_kind_of_fault_has_a_line_with_an_example_that_is_accepted():
    lines = re.findall(r"^\| `(\w+)` \| .* \| `(\w+) ?(.*)` \|$", section("Faults"), re.MULTILINE)

    assert [kind for kind, _, _ in lines] == list(KINDS) == list(KINDS_IN_TESTS)
    for kind, again, words in lines:
        assert kind == again
        assert rule_of([kind, *shlex.split(words)])["kind"] == kind
    assert len(("refuse", *INSTEAD)) == 12
    assert "first twelve kinds" in TEXT


def test_every_parameter_of_a_rule_is_named():
    assert [name for name in FaultRule.__struct_fields__ if f"`{name}`" not in TEXT] == ["kind"]


def test_every_field_of_the_log_is_explained_in_order():
    fields = named("The log")

    assert sorted(fields) == sorted(Record.__struct_fields__)


def test_every_directive_is_explained():
    assert sorted(named("Directives")) == sorted(Wish.__struct_fields__)


def test_the_example_of_settings_has_them_all_and_is_accepted():
    raw = tomllib.loads(re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)[0])
    tables = {
        settings.Settings: raw,
        settings.Limits: raw["limits"],
        settings.Timing: raw["timing"],
        settings.Answers: raw["answers"],
        settings.Cache: raw["cache"],
        settings.Tokenizer: raw["tokenizer"],
        settings.Model: raw["models"][0],
        settings.Account: raw["accounts"][0],
    }

    settings_of(raw)
    for kind, table in tables.items():
        assert set(kind.__struct_fields__) == set(table), kind


def test_the_defaults_that_the_text_tells():
    default = settings_of({})

    assert default.limits == settings.Limits(requests_per_min=30_000, tokens_per_min=5_000_000)
    assert (default.answers.length, default.answers.tokens) == ("fixed", 32)
    shown = tomllib.loads(re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)[0])
    for name in ("timing", "cache", "tokenizer"):
        assert {f: getattr(getattr(default, name), f) for f in shown[name]} == shown[name]
    assert shown["estimated_output_tokens"] == default.estimated_output_tokens


def test_the_example_of_a_directive_works():
    body = json.loads(re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)[0])
    wish = wish_of(body["messages"][-1]["content"].encode())

    assert (wish.echo, wish.fault.kind, wish.fault.for_s) == ("call-17", "stall", 5)


@pytest.mark.parametrize("line", re.findall(r"arkway ((?:sim|accounts|serve).*)", TEXT))
def test_commands_use_flags_that_exist(line):
    for part in re.split(r" && arkway ", line.strip("`")):
        command = typer.main.get_command(whole())
        words = shlex.split(part, comments=True)
        while hasattr(command, "commands"):
            command, words = command.commands[words[0].strip("`")], words[1:]
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known
        for at, word in enumerate(words):
            if word == "--fault":
                rule_of(shlex.split(words[at + 1]))
