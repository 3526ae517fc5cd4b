import io
import json

import pytest

from arkway.cli import chat


@pytest.fixture(autouse=True)
def key(arkway, monkeypatch):
    monkeypatch.setenv("ARKWAY_API_KEY", "sk-1")


class Input(io.StringIO):
    """Standard input that is a terminal, or not."""

    def __init__(self, text, *, is_terminal):
        super().__init__(text)
        self._is_terminal = is_terminal

    def isatty(self):
        return self._is_terminal


def test_the_answer_goes_out_and_the_counts_beside_it(arkway, gateway):
    status, out, err = arkway("chat", "hi", "--url", gateway.url)

    assert (status, out) == (0, "Hello\n")
    assert err == "(12 tokens in, 8 of them cached; 3 out)\n"


def test_a_conversation_goes_on_under_one_id(arkway, gateway):
    arkway("chat", "hi", "--url", gateway.url)
    arkway("chat", "and?", "--url", gateway.url)

    (_, first, _), (_, second, body) = gateway.requests
    assert first["X-Conversation-Id"] == second["X-Conversation-Id"]
    assert [message["content"] for message in body["messages"]] == ["hi", "Hello", "and?"]


@pytest.mark.parametrize("flags", [["--new"], ["--system", "Be brief."]])
def test_a_new_conversation_has_a_new_id(arkway, gateway, flags):
    arkway("chat", "hi", "--url", gateway.url)
    arkway("chat", "hi", "--url", gateway.url, *flags)

    (_, first, _), (_, second, body) = gateway.requests
    assert first["X-Conversation-Id"] != second["X-Conversation-Id"]
    assert [m["role"] for m in body["messages"]] == ["system", "user"][-len(body["messages"]) :]
    assert len(body["messages"]) == len(flags)


def test_a_conversation_keeps_its_model(arkway, gateway):
    arkway("chat", "hi", "--url", gateway.url)
    arkway("chat", "hi", "--url", gateway.url, "--model", "other")
    arkway("chat", "hi", "--url", gateway.url)

    models = [body["model"] for _, _, body in gateway.requests]
    assert models == ["Doubao-1.5-pro-32k", "other", "other"]


def test_a_failed_turn_is_not_remembered(arkway, gateway):
    arkway("chat", "hi", "--url", gateway.url)
    gateway.body, good = b"", gateway.body
    status, _, err = arkway("chat", "lost", "--url", gateway.url)
    gateway.body = good
    arkway("chat", "again", "--url", gateway.url)

    assert (status, err) == (1, "arkway: the answer broke off\n")
    contents = [message["content"] for message in gateway.requests[-1][2]["messages"]]
    assert contents == ["hi", "Hello", "again"]


def test_the_answer_is_data_too(arkway, gateway):
    status, out, err = arkway("chat", "hi", "--url", gateway.url, "--json")

    answer = json.loads(out)
    assert (status, err) == (0, "")
    assert (answer["content"], answer["finish_reason"]) == ("Hello", "stop")
    assert answer["usage"]["prompt_tokens_details"]["cached_tokens"] == 8
    assert answer["request_id"] == "r-1"


def test_no_counts_are_said_to_be_none(arkway, gateway):
    gateway.body = gateway.stream("x", usage=None)

    assert arkway("chat", "hi", "--url", gateway.url)[2] == "(no token counts)\n"


def test_standard_input_is_a_message(arkway, gateway, monkeypatch):
    monkeypatch.setattr("sys.stdin", Input("a long\ntext\n", is_terminal=False))

    arkway("chat", "--url", gateway.url)

    assert gateway.requests[0][2]["messages"][0]["content"] == "a long\ntext"


@pytest.mark.parametrize("said", [(), ("",), (" ",)])
def test_an_empty_message_or_standard_input_is_a_mistake(arkway, gateway, monkeypatch, said):
    monkeypatch.setattr("sys.stdin", Input(" \n", is_terminal=False))

    status, _, err = arkway("chat", "--url", gateway.url, *said)

    assert (status, gateway.requests) == (2, [])
    assert err.startswith("arkway: nothing to say")


def test_a_terminal_is_a_dialogue_that_survives_a_failure(arkway, gateway, monkeypatch):
    typed = iter(["one", "", "two", EOFError])
    good = gateway.body

    def say(_prompt):
        text = next(typed)
        gateway.body = b"" if text == "one" else good
        if text is EOFError:
            raise EOFError
        return text

    monkeypatch.setattr("builtins.input", say)
    monkeypatch.setattr("sys.stdin", Input("", is_terminal=True))

    status, out, err = arkway("chat", "--url", gateway.url)

    assert (status, out) == (0, "Hello\n\n")
    assert "the answer broke off" in err
    assert [len(body["messages"]) for _, _, body in gateway.requests] == [1, 1]


def test_an_interrupt_stops_an_answer_and_not_the_dialogue(arkway, gateway, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    typed = iter(["one"])
    monkeypatch.setattr("builtins.input", lambda _: next(typed, None) or interrupted())
    monkeypatch.setattr("sys.stdin", Input("", is_terminal=True))
    monkeypatch.setattr(chat, "ask", interrupted)

    status, _, err = arkway("chat", "--url", gateway.url)

    assert status == 0
    assert "this message was not kept" in err


def test_keys_come_from_the_flag_the_variable_or_the_first_key(arkway, gateway, monkeypatch):
    arkway.home.mkdir()
    (arkway.home / "first-key").write_text("sk-first\n")

    arkway("chat", "hi", "--url", gateway.url, "--key", "sk-flag")
    arkway("chat", "hi", "--url", gateway.url)
    monkeypatch.delenv("ARKWAY_API_KEY")
    arkway("chat", "hi", "--url", gateway.url)

    sent = [headers["Authorization"] for _, headers, _ in gateway.requests]
    assert sent == ["Bearer sk-flag", "Bearer sk-1", "Bearer sk-first"]


def test_no_key_is_one_line(arkway, monkeypatch):
    monkeypatch.delenv("ARKWAY_API_KEY")

    status, _, err = arkway("chat", "hi")

    assert status == 2
    assert "give --key or ARKWAY_API_KEY" in err


def test_a_key_that_no_header_can_carry_is_refused(arkway):
    status, _, err = arkway("chat", "hi", "--key", "sk-1\r\nX: 1")

    assert status == 2
    assert "sk-1" not in err


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("0.0.0.0", "http://127.0.0.1:1"),
        ("::", "http://[::1]:1"),
        ("::1", "http://[::1]:1"),
        ("127.0.0.2", "http://127.0.0.2:1"),
    ],
)
def test_without_an_address_it_is_this_configurations(arkway, monkeypatch, host, url):
    monkeypatch.setenv("ARKWAY_SERVER_HOST", host)
    monkeypatch.setenv("ARKWAY_SERVER_PORT", "1")  # where nobody listens

    assert f"cannot reach {url}" in arkway("chat", "hi")[2]


def test_an_answer_cannot_command_the_terminal(monkeypatch, capsys):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)

    chat._write("a\x1b]0;title\x07\n\tb\x9b2J")

    assert capsys.readouterr().out == "a]0;title\n\tb2J"
