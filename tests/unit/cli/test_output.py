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
