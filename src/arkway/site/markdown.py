"""How does a page look as HTML? CommonMark with tables, highlighted code, anchors, our own links.

markdown-it-py parses, Pygments colours; HTML in a page is shown as text and never passed through,
comments (marks of generated parts) are left out. Links between pages lose their `.md`; links to
files of the source tree that the site does not have become plain text.
"""

import posixpath
from collections.abc import Callable, Mapping, Sequence
from html import escape

import msgspec
from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.renderer import RendererHTML
from markdown_it.rules_block import StateBlock
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

from arkway.site import source_io
from arkway.site.book import address, relative
from arkway.site.sections import plain, slug, title_of, unique

# What the fences of the pages say, where Pygments has another name or none that helps.
_LEXERS = {"sh": "bash", "js": "javascript", "jsonc": "javascript"}
_UNBROKEN_CHARS = 20  # longer names make tables too wide
_SHORT_CODE_CHARS = 32  # fits into a line of a phone
_FORMATTER = HtmlFormatter(nowrap=True)


class Heading(msgspec.Struct, frozen=True):
    """An entry of a page's own table of contents."""

    level: int
    text: str
    anchor: str


class Rendered(msgspec.Struct, frozen=True):
    """A page's HTML, without the frame around it."""

    html: str
    headings: tuple[Heading, ...]


def render(path: str, text: str, pages: Mapping[str, str]) -> Rendered:
    """Return the HTML of the page at `path` in docs/.

    Shapes:  pages: all pages by path, to tell links that lead somewhere.
    """
    parser = _parser()
    tokens = parser.parse(text)
    headings = _name_headings(tokens)
    _unhead_empty_cells(tokens)
    for token in tokens:
        _aim_links(token.children or [], path, pages)
    return Rendered(parser.renderer.render(tokens, parser.options, {}), headings)


def fragment(text: str, path: str = "", pages: Mapping[str, str] | None = None) -> str:
    """Return the HTML of a quotation from the page at `path`: links as of the site's root."""
    parser = _parser()
    tokens = parser.parse(text)
    for token in tokens:
        _aim_links(token.children or [], path, pages or {}, here="")
    return str(parser.renderer.render(tokens, parser.options, {}))


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    parser.block.ruler.before(
        "paragraph", "comment", _comment, {"alt": ["paragraph", "reference", "blockquote", "list"]}
    )
    rules: dict[str, Callable[..., str]] = {
        "fence": _fence,
        "code_block": _fence,
        "code_inline": _code,
        "table_open": lambda *_: '<div class="table" tabindex="0"><table>\n',
        "table_close": lambda *_: "</table></div>\n",
        "heading_close": _heading_close,
    }
    for name, rule in rules.items():
        parser.add_render_rule(name, rule)
    return parser


def _comment(state: StateBlock, start_line: int, _end_line: int, silent: bool) -> bool:
    """Leave out a line that is one comment: the marks of generated parts."""
    begin, end = state.bMarks[start_line] + state.tShift[start_line], state.eMarks[start_line]
    line = state.src[begin:end].rstrip()
    if not (line.startswith("<!--") and line.endswith("-->")):
        return False
    if not silent:
        state.line = start_line + 1
    return True


def _fence(
    _self: RendererHTML, tokens: Sequence[Token], at: int, _options: OptionsDict, _env: EnvType
) -> str:
    """Return a block of code, coloured; the copy button is added by the script."""
    language = tokens[at].info.strip().split(" ")[0]
    code = coloured(tokens[at].content, language)
    return f'<div class="code"><pre tabindex="0"><code>{code}</code></pre></div>\n'


def _code(
    _self: RendererHTML, tokens: Sequence[Token], at: int, _options: OptionsDict, _env: EnvType
) -> str:
    """Return code in a line: a short one is not broken, a long name at its underscores."""
    content = tokens[at].content
    kind = ' class="short"' if len(content) <= _SHORT_CODE_CHARS else ""
    is_long = len(content) > _UNBROKEN_CHARS
    code = escapeHtml(content)
    return f"<code{kind}>{code.replace('_', '_<wbr>') if is_long else code}</code>"


def coloured(code: str, language: str) -> str:
    """Return code as HTML, with Pygments' classes where it knows the language."""
    try:
        lexer = get_lexer_by_name(_LEXERS.get(language, language), stripnl=False)
    except ClassNotFound:
        return escapeHtml(code)
    return str(highlight(code, lexer, _FORMATTER))


def _heading_close(
    _self: RendererHTML, tokens: Sequence[Token], at: int, _options: OptionsDict, _env: EnvType
) -> str:
    opening = tokens[at - 2]
    anchor = escape(str(opening.attrs.get("id", "")))
    link = f'<a class="anchor" href="#{anchor}" aria-label="Link to this section">#</a>'
    return f"{link if opening.tag != 'h1' else ''}</{tokens[at].tag}>\n"


def _name_headings(tokens: list[Token]) -> tuple[Heading, ...]:
    """Give headings their anchors, as GitHub does; return those below the title."""
    found, taken = [], set[str]()
    for at, token in enumerate(tokens):
        if token.type == "heading_open":
            text = tokens[at + 1].content
            anchor = unique(slug(text), taken)
            token.attrSet("id", anchor)
            if token.tag != "h1":
                found.append(Heading(int(token.tag[1]), plain(text), anchor))
    return tuple(found)


def _unhead_empty_cells(tokens: list[Token]) -> None:
    """Make the empty head of a column an ordinary cell: a head without words heads nothing."""
    for opening, inside, closing in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if opening.type == "th_open" and not inside.content:
            opening.tag = closing.tag = "td"


def _aim_links(
    children: list[Token], path: str, pages: Mapping[str, str], here: str | None = None
) -> None:
    """Turn links from file to file into links from address to address."""
    is_dead = False
    for at, token in enumerate(children):
        if token.type == "link_open":
            link = str(token.attrs.get("href", ""))
            aimed = aim(link, path, pages, here)
            is_dead = aimed is None
            _name_link(children[at + 1], link, path, pages)
            if aimed is not None:
                token.attrSet("href", aimed)
                if "://" in aimed:
                    token.attrSet("rel", "noreferrer")
        if is_dead and token.type in {"link_open", "link_close"}:
            is_dead = token.type == "link_open"
            token.type, token.tag, token.nesting, token.attrs = "text", "", 0, {}


def _name_link(text: Token, link: str, path: str, pages: Mapping[str, str]) -> None:
    """Call a page by its title where the Markdown calls it by its file: `[api.md](api.md)`."""
    target = posixpath.normpath(posixpath.join(posixpath.dirname(path), link.partition("#")[0]))
    if target in pages and text.type == "text" and text.content == posixpath.basename(target):
        text.content = title_of(pages[target])


def aim(link: str, path: str, pages: Mapping[str, str], here: str | None = None) -> str | None:
    """Return where a link of page `path` leads in HTML; None when the site has no such page.

    Shapes:  here: the address that the HTML is shown at, when it is not the page's own.
    """
    if "://" in link or link.startswith("mailto:"):
        return link
    name, mark, anchor = link.partition("#")
    target = posixpath.normpath(posixpath.join(posixpath.dirname(path), name)) if name else path
    shown_at = address(path) if here is None else here
    if target in source_io.DESCRIPTIONS:
        return relative(shown_at, target)
    if name and target not in pages:
        return None
    if not name and here is None:
        return f"#{anchor}"
    return relative(shown_at, address(target)) + mark + anchor
