import shlex

import pytest
from msgspec.structs import replace

from arkway.control.config import Config
from arkway.model.catalogue import AccountSpec, Dialect, ModelSpec, Secret, Snapshot
from arkway.runtime.welcome import welcome

MODEL = ModelSpec("Doubao-1.5-pro-32k", "m", 10, 5)


def shown(capsys, home, dialects=("ark",), first_key=None, host=None):
    accounts = tuple(
        AccountSpec(f"a{at}", Dialect(name), "http://h", Secret(""))
        for at, name in enumerate(dialects)
    )
    config = Config()
    if host is not None:
        config = replace(config, server=replace(config.server, host=host))
    welcome(home, config, Snapshot({MODEL.name: MODEL}, accounts, {}), 8080, first_key)
    return capsys.readouterr().out


def test_a_start_says_where_it_is_and_no_more(capsys, tmp_path):
    text = shown(capsys, tmp_path)

    assert "Arkway is ready at http://127.0.0.1:8080/v1" in text
    assert "curl" not in text
    assert "stand-in" not in text


def test_a_first_key_is_shown_once_with_a_curl_that_can_be_pasted(capsys, tmp_path):
    text = shown(capsys, tmp_path, first_key="sk-first")

    assert "sk-first" in text
    curl = text[text.index("curl ") :].replace("\\\n", " ").strip()
    words = shlex.split(curl)
    assert words[:2] == ["curl", "http://127.0.0.1:8080/v1/chat/completions"]
    assert "Authorization: Bearer sk-first" in words
    assert MODEL.name in words[-1]


def test_a_kept_key_is_named_and_not_shown(capsys, tmp_path):
    (tmp_path / "first-key").write_text("sk-kept")

    text = shown(capsys, tmp_path, dialects=["local"])

    assert f"$(cat {tmp_path / 'first-key'})" in text
    assert "sk-kept" not in text


def test_a_stand_in_is_unmistakable(capsys, tmp_path):
    text = shown(capsys, tmp_path, dialects=["local"])

    assert "not from Doubao" in text
    assert "curl" not in text  # there is no key to show


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("0.0.0.0", "http://127.0.0.1:8080/v1"),
        ("::", "http://127.0.0.1:8080/v1"),
        ("10.1.2.3", "http://10.1.2.3:8080/v1"),
        ("::1", "http://[::1]:8080/v1"),
    ],
)
def test_the_address_is_one_that_can_be_called(capsys, tmp_path, host, url):
    assert url in shown(capsys, tmp_path, host=host)
