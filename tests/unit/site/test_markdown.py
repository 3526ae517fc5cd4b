"""Is a page's HTML what it should be, and only that?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arkway.site.markdown import aim, coloured, fragment, render

PAGES = {
    "a.md": "# The A page",
    "adr/README.md": "# All",
    "adr/0001-x.md": "# X",
    "README.md": "# D",
}


def html(text: str, path: str = "a.md") -> str:
    return render(path, text, PAGES).html


def test_headings_get_anchors_and_a_table_of_contents():
    rendered = render("a.md", "# A\n\n## Some `code`\n\n### Below\n\n## Some `code`\n", PAGES)

    assert [(h.level, h.text, h.anchor) for h in rendered.headings] == [
        (2, "Some code", "some-code"),
        (3, "Below", "below"),
        (2, "Some code", "some-code-1"),
    ]
    assert '<h2 id="some-code">' in rendered.html
    assert 'href="#some-code-1"' in rendered.html


@pytest.mark.parametrize(
    "attack",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "text <b onclick=x>bold</b>",
        "[x](javascript:alert(1))",
        "![x](data:text/html,<script>)",
        "<!-- a --> <script>",
        "```<script>\n<script>\n```",
        "`<script>`",
        "| <script> |\n| --- |\n| <img onerror=x> |",
    ],
)
def test_html_in_a_page_is_text(attack):
    found = html(f"# A\n\n{attack}\n")

    assert "<script" not in found
    assert "<img" not in found
    assert "<b " not in found
    assert 'href="javascript' not in found


@given(st.text(alphabet="<>\"'&/=abscript()[]`!#|-\n ", max_size=120))
def test_no_text_becomes_a_tag_of_its_own(text):
    found = html(text)

    for tag in ("<script", "<a s", "<b", "<as", "<s>", "<i"):
        if tag == "<b" and "<blockquote" in found:
            continue
        assert tag not in found


def test_marks_of_generated_parts_are_left_out():
    found = html("# A\n\n<!-- generated: x -->\n| a |\n| --- |\n| b |\n<!-- end -->\n\nafter\n")

    assert "generated" not in found
    assert "end" not in found
    assert "<table>" in found
    assert "<p>after</p>" in found


@pytest.mark.parametrize(
    ("path", "link", "address"),
    [
        ("a.md", "adr/0001-x.md#decision", "adr/0001-x#decision"),
        ("a.md", "README.md", "./"),
        ("a.md", "#here", "#here"),
        ("adr/0001-x.md", "../a.md", "../a"),
        ("adr/0001-x.md", "README.md", "./"),
        ("adr/0001-x.md", "#here", "#here"),
        ("a.md", "https://example.com/x.md", "https://example.com/x.md"),
        ("a.md", "../CHANGELOG.md", None),
        ("a.md", "nosuch.md", None),
    ],
)
def test_links_lead_from_address_to_address(path, link, address):
    assert aim(link, path, PAGES) == address


def test_a_link_that_leads_nowhere_is_text():
    assert html("see [the log](../CHANGELOG.md), [a](adr/README.md)") == (
        '<p>see the log, <a href="adr/">a</a></p>\n'
    )


def test_a_page_called_by_its_file_is_called_by_its_title():
    assert html("[a.md](a.md#x)", "README.md") == '<p><a href="a#x">The A page</a></p>\n'


def test_an_empty_head_of_a_column_is_a_cell():
    found = html("| a | |\n| --- | --- |\n| b | c |")

    assert "<th>a</th>\n<td></td>" in found


def test_code_is_coloured_and_escaped():
    found = html('```python\nprint("<b>")  # no\n```\n')

    assert '<span class="nb">print</span>' in found
    assert "&lt;b&gt;" in found
    assert coloured("<x>", "nosuchlanguage") == "&lt;x&gt;"


def test_short_code_in_a_line_is_not_broken():
    assert html("`--flag`") == '<p><code class="short">--flag</code></p>\n'
    assert 'class="short"' not in html(f"`{'x' * 40}`")
    assert "<wbr>" not in html("`max_tokens`")
    assert "ARKWAY_<wbr>LIMITS_<wbr>MAX" in html("`ARKWAY_LIMITS_MAX_HEADERS`")


def test_a_quotation_is_shown_from_the_root():
    assert fragment("[x](../a.md) [y](#z)", "adr/0001-x.md", PAGES) == (
        '<p><a href="a">x</a> <a href="adr/0001-x#z">y</a></p>\n'
    )
