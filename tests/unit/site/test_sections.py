"""How is a page cut? By headings, and in passages that are quoted as they stand."""

from hypothesis import given
from hypothesis import strategies as st

from arkway.site.sections import Kind, plain, quoted, sections, slug, title_of, unique

PAGE = """\
# A page

The opening, of
two lines.

<!-- parameters -->
| name | rule |
| --- | --- |
| `a` | one \\| two |
| `b` | three |
<!-- end -->

## First `part`

- an item
  that goes on
- another

```sh
# no heading
arkway serve
```

### Below

Text with [a link](other.md#there) and **weight**.

## First `part`
## Empty

Last.
"""


def cut():
    return list(sections("page.md", PAGE))


def test_sections_with_their_trail_and_anchor():
    assert [(s.trail, s.anchor) for s in cut()] == [
        ((), ""),
        (("First part",), "first-part"),
        (("First part", "Below"), "below"),
        (("Empty",), "empty"),
    ]
    assert {s.title for s in cut()} == {"A page"}
    assert cut()[0].heading == "A page"
    assert cut()[2].heading == "Below"


def test_passages_by_kind():
    opening, first, below, _ = cut()

    assert [p.kind for p in opening.passages] == [Kind.PROSE, Kind.ROW, Kind.ROW]
    assert [p.kind for p in first.passages] == [Kind.ITEM, Kind.ITEM, Kind.CODE]
    assert first.passages[0].source == "- an item\n  that goes on"
    assert below.passages[0].text == "Text with a link and weight."


def test_a_row_knows_the_heads_of_its_columns():
    row = cut()[0].passages[1]

    assert row.source == "| `a` | one \\| two |"
    assert row.text == "name rule --- --- a one ¦ two"


def test_a_heading_in_code_is_code():
    assert "# no heading" in cut()[1].passages[2].source


def test_a_quotation_puts_tables_and_lists_together_again():
    opening, first, *_ = cut()

    assert opening.source == PAGE[len("# A page\n\n") : PAGE.index("<!-- end")].strip().replace(
        "<!-- parameters -->\n", ""
    )
    assert quoted(first.passages[:2]) == "- an item\n  that goes on\n- another"
    rows = quoted((opening.passages[2],))
    assert rows == "| name | rule |\n| --- | --- |\n| `b` | three |"


def test_what_an_example_asks_a_model_is_not_what_the_page_says():
    (section,) = sections("p.md", '# P\n\n```sh\narkway chat "Capital of France?"\n```\n')

    assert "France" not in section.passages[0].text
    assert "France" in section.passages[0].source


def test_anchors_are_those_of_github():
    assert slug("Files in `ARKWAY_HOME`") == "files-in-arkway_home"
    assert slug("`GET /v1/usage`") == "get-v1usage"
    taken: set[str] = set()
    assert [unique("a", taken) for _ in range(3)] == ["a", "a-1", "a-2"]


def test_a_page_without_a_heading():
    assert title_of("text") == "Untitled"
    assert [s.trail for s in sections("p.md", "text")] == [()]


def test_code_without_an_end_is_kept():
    (section,) = sections("p.md", "# P\n\n```sh\narkway serve\n")

    assert section.passages[0].kind is Kind.CODE


def test_plain_leaves_code_as_it_is():
    assert plain("a **b** `**c** [d](e)`") == "a b **c** d"


@given(st.text(alphabet="#`|- ab\n<>!*[]()", max_size=200))
def test_any_text_is_cut_and_nothing_invented(text):
    for section in sections("p.md", text):
        for passage in section.passages:
            for line in passage.source.splitlines():
                assert line in text.splitlines()
