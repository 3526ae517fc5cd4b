"""Does `arkway docs` answer, and say when it cannot?"""

import json
import socket

import pytest

from arkway.cli import main


def test_an_answer_with_its_source(capsys):
    assert main(["docs", "ask", "How do I rotate a key?"]) == 0
    said = capsys.readouterr().out

    assert "arkway keys rotate" in said
    assert "Source: [" in said


@pytest.mark.parametrize("page", ["parameters.md", "parameters"])
def test_an_answer_as_json_from_a_page(capsys, page):
    question = "What is the range of temperature?"

    assert main(["docs", "ask", question, "--page", page, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["found"] is True
    assert answer["source"] == "parameters#temperature"


def test_a_port_in_use_is_one_line(capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        assert main(["docs", "serve", "--port", str(port)]) == 1

    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert f"127.0.0.1:{port} is in use by another process" in err
    assert "another --port" in err


def test_no_answer_is_a_failure(capsys):
    assert main(["docs", "ask", "Who won the zebra race?"]) == 1
    assert "does not answer this" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["", "--page", "limits"], ["key", "--page", "nosuch"]])
def test_what_cannot_be_asked(capsys, arguments):
    assert main(["docs", "ask", *arguments]) == 1
    assert capsys.readouterr().err.startswith("arkway: ")
