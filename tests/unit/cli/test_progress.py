import io

from arkway.cli.progress import progress


def test_nothing_is_said_where_nobody_looks(capsys):
    with progress("copying") as tell:
        tell(1, 2)

    assert capsys.readouterr() == ("", "")


def test_a_terminal_sees_how_far_it_is(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with progress("copying") as tell:
        tell(1, 4)
        tell(4, 4)

    assert "copying" in terminal.getvalue()
    assert "100%" in terminal.getvalue()
