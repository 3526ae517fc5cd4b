"""Forty texts that would run a script where text became markup; each calls `alert`."""

from typing import Any

STRINGS = (
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<img/src/onerror=alert(1)>",
    "<svg onload=alert(1)>",
    "<svg/onload=alert(1)//",
    "<svg><script>alert(1)</script></svg>",
    "<body onload=alert(1)>",
    "<iframe src=javascript:alert(1)>",
    "<iframe srcdoc='<script>alert(1)</script>'>",
    "<a href=javascript:alert(1)>x</a>",
    "<a href='java\tscript:alert(1)'>x</a>".replace("\t", ""),
    "<input autofocus onfocus=alert(1)>",
    "<details open ontoggle=alert(1)>",
    "<video><source onerror=alert(1)>",
    "<audio src onerror=alert(1)>",
    "<object data=javascript:alert(1)>",
    "<embed src=javascript:alert(1)>",
    "<math><mi href=javascript:alert(1)>x",
    "<marquee onstart=alert(1)>",
    "<select autofocus onfocus=alert(1)>",
    "<textarea autofocus onfocus=alert(1)>",
    "<style>@import 'javascript:alert(1)'</style>",
    "<link rel=stylesheet href=javascript:alert(1)>",
    "<meta http-equiv=refresh content=0;url=javascript:a>",
    "<base href=javascript:alert(1)//>",
    "<form action=javascript:alert(1)><button>x",
    "<x onclick=alert(1)>x</x>",
    '"><script>alert(1)</script>',
    "'><img src=x onerror=alert(1)>",
    "' onmouseover='alert(1)",
    '" autofocus onfocus="alert(1)',
    "javascript:alert(1)",
    "{{constructor.constructor('alert(1)')()}}",
    "${alert(1)}",
    "`;alert(1)//`",
    "{{alert(1)}}",
    ":formatter=alert(1)",
    "<!--><script>alert(1)</script>-->",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
)

# What an element would have that one of the strings made. Nothing of ours is built so.
_BORN = """() => [...document.querySelectorAll("*")].filter((e) => {
  const runs = (value) => /^[\\s\\0]*javascript:/i.test(value);
  const names = ["MARQUEE", "EMBED", "OBJECT", "BASE", "IFRAME", "MATH", "AUDIO", "VIDEO", "X"];
  return names.includes(e.localName.toUpperCase())
    || [...e.attributes].some((a) => /^on/i.test(a.name) || a.name === "srcdoc"
        || (["src", "href", "action", "formaction", "data", "content"].includes(a.name)
            && (runs(a.value) || a.value.includes("javascript:"))))
    || (e.localName === "script" && e.textContent.trim() === "alert(1)")
    || (e.localName === "style" && e.textContent.includes("javascript:"))
    || (e.localName === "img" && e.getAttribute("src") === "x");
}).map((e) => e.outerHTML.slice(0, 120))"""


def born(page: Any) -> list[str]:
    """Return the elements of a browser's page that a string would have made."""
    return list(page.evaluate(_BORN))
