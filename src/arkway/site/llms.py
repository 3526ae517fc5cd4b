"""What do language models read of us? The list of pages, and all of them in one text.

The form is that of llms.txt: a title, a summary, sections with links. Links are those of the
Markdown, relative to where the list is served.
"""

import re

from arkway.site.book import CONTENTS, Book, markdown_address


def listing(book: Book) -> str:
    """Return `llms.txt`."""
    text = book.texts[CONTENTS]
    title = text.partition("\n")[0]
    summary = " ".join(text.partition("\n\n")[2].partition("\n\n")[0].split())
    summary = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", summary)
    parts = [title, f"> {summary}"]
    for part in book.parts:
        lines = [
            f"- [{leaf.name}]({markdown_address(leaf.path)})"
            + (f": {leaf.summary}" if leaf.summary else "")
            for leaf in part.leaves
        ]
        parts += [f"## {part.name}", "\n".join(lines)]
    parts.append(
        "## Ask\n\nAdd `?ask=<question>` to any of these addresses: the answer is quoted from the "
        "pages, with its sources."
    )
    return "\n\n".join(parts) + "\n"


def everything(book: Book) -> str:
    """Return `llms-full.txt`: every page, each under a line that says which it is."""
    return "\n".join(
        f"<!-- {markdown_address(path)} -->\n\n{book.texts[path].rstrip()}\n"
        for path in book.leaves
    )
