import pytest

from arkway.console.login import notice, page, safe_target
from arkway.console.look import Look, look_of


@pytest.mark.parametrize(
    ("wanted", "target"),
    [
        ("/", "/"),
        ("/keys?name=a&x=%2F", "/keys?name=a&x=%2F"),
        ("", "/"),
        ("keys", "/"),
        ("//evil.example/x", "/"),
        ("/\\evil.example", "/"),
        ("\\\\evil.example", "/"),
        ("https://evil.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("/a\r\nSet-Cookie: x=1", "/"),
        ("/\tx", "/"),
    ],
)
def test_after_the_login_one_stays_here(wanted, target):
    assert safe_target(wanted) == target


def test_what_is_put_into_the_page_is_text():
    shown = page(Look("en", "dark"), '/"><script>alert(1)</script>', "ended")
    assert "<script>alert" not in shown
    assert "Your session has ended." in shown
    assert "{{" not in shown
    assert 'lang="zh-CN"' in page(Look("zh", "auto"), "/", "")
    assert "&lt;b&gt;" in notice(Look(), "<b>", "x")


@pytest.mark.parametrize(
    ("headers", "look"),
    [
        ([], Look("en", "auto")),
        ([(b"cookie", b"a=b; arkway_console=zh.dark; c=d")], Look("zh", "dark")),
        ([(b"cookie", b"arkway_console=xx.pink")], Look("en", "auto")),
        ([(b"cookie", b'arkway_console="><script>.dark')], Look("en", "auto")),
        (
            [(b"accept-language", b"zh"), (b"cookie", b"arkway_console=en.light")],
            Look("en", "light"),
        ),
        ([(b"accept-language", b"zh")], Look("zh", "auto")),
    ],
)
def test_the_look_is_one_of_a_few(headers, look):
    found = look_of(headers)
    if b"script" in b"".join(value for _, value in headers):
        assert found.language in ("en", "zh")
        assert found.theme in ("auto", "light", "dark")
    else:
        assert found == look
