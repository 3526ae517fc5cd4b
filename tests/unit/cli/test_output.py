import pytest

from arkway.cli.output import Failure, dimmed, print_json, print_table, remark
from arkway.store.problems import Problem


def test_json_is_one_line_of_plain_unicode(capsys):
    print_json({"a": "ü\n"})

    assert capsys.readouterr().out == '{"a": "ü\\n"}\n'


def test_a_row_in_a_pipe_is_one_line_however_long(capsys):
    print_table(("A", "B"), [("x" * 500, "[red]y")])

    out = capsys.readouterr().out
    assert out.count("\n") == 2
    assert "x" * 500 in out
    assert "[red]y" in out


def test_a_failure_reads_as_its_lines():
    failure = Failure(Problem("a", "b"), "c")

    assert failure.lines == ("a: b", "c")
    assert str(failure) == "a: b; c"


@pytest.mark.parametrize(("variable", "text"), [("", "\x1b[2mx\x1b[0m"), ("1", "x")])
def test_no_color_is_respected(monkeypatch, variable, text):
    monkeypatch.setenv("NO_COLOR", variable)

    assert dimmed("x") == text


def test_a_remark_is_faint_on_a_terminal_only(monkeypatch, capsys):
    monkeypatch.delenv("NO_COLOR", raising=False)
    remark("x")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    remark("x")

    assert capsys.readouterr().err == "x\n\x1b[2mx\x1b[0m\n"


@pytest.mark.parametrize("columns", [40, 60, 80, 120])
@pytest.mark.parametrize("count", [1, 3, 5, 9, 20])
def test_a_terminal_sees_every_character_within_its_width(monkeypatch, capsys, columns, count):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    cells = [f"{n:02d}" + "abcdefghijklmnopqrstuvwxyz"[: 3 * n] for n in range(count - 1)]

    print_table([f"C{n}" for n in range(count)], [[*cells, "1234567.25 CNY"]])

    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= columns
    assert "1234567.25 CNY" in out, "a number is never folded"
    letters = sorted(c for c in out if c.islower() and c.isascii())
    assert letters == sorted("".join(cells).translate({ord(c): None for c in "0123456789"}))


def test_cells_are_words_for_people(capsys):
    print_table(("A", "B", "C"), [(None, True, False)])

    assert capsys.readouterr().out.split()[3:] == ["-", "yes", "no"]
