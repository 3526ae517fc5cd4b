import pytest

from arkway.store.urls import is_encrypted, is_loopback, normalise_base_url


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("https://api.example.com/v1", "https://api.example.com/v1"),
        ("https://api.example.com/v1///", "https://api.example.com/v1"),
        ("HTTPS://API.Example.com/V1", "https://api.example.com/V1"),
        ("http://127.0.0.1:9011/v1", "http://127.0.0.1:9011/v1"),
        ("http://127.0.0.1:", "http://127.0.0.1"),
        ("http://[::1]:8080/", "http://[::1]:8080"),
        ("http://under_score.local", "http://under_score.local"),
    ],
)
def test_a_base_url_has_one_form(text, normal):
    assert normalise_base_url(text) == normal
    assert normalise_base_url(normal) == normal


@pytest.mark.parametrize(
    "text",
    [
        "",
        "api.example.com",
        "ftp://api.example.com",
        "file:///etc/passwd",
        "https://",
        "https:///v1",
        "https://user:hunter2@host/v1",
        "https://hunter2@host",
        "https://@host",
        "https://host/v1?hunter2",
        "https://host/v1?",
        "https://host/v1#",
        "https://host:0",
        "https://host:65536",
        "https://host:x",
        "https://ho st",
        "https://ho\\st",
        "https://host/a\nb",
        "https://höst",
        "https://[::1",
        "https://host/\x7f",
    ],
)
def test_anything_else_is_refused_without_being_shown(text):
    with pytest.raises(ValueError) as refusal:
        normalise_base_url(text)

    assert "hunter2" not in str(refusal.value)
    assert str(refusal.value).startswith(("must", "is not"))


@pytest.mark.parametrize(
    ("url", "is_local"),
    [
        ("http://127.0.0.1:9011", True),
        ("http://127.8.9.10", True),
        ("http://[::1]:1", True),
        ("http://localhost", True),
        ("http://model.localhost", True),
        ("http://localhost.example.com", False),
        ("http://10.0.0.1", False),
        ("http://0.0.0.0", False),
        ("https://example.com", False),
    ],
)
def test_loopback_is_this_machine_only(url, is_local):
    assert is_loopback(url) is is_local


def test_only_https_is_encrypted():
    assert is_encrypted("https://host")
    assert not is_encrypted("http://host")
