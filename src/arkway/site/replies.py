"""How is an answer told? As Markdown for people and models, as JSON for programs."""

import posixpath
import re

import msgspec

from arkway.site.ask import Answer, Excerpt
from arkway.site.book import address, markdown_address, relative

_LINK_TARGET = re.compile(r"\]\(([^)\s]+)\)")
_NOT_FOUND = "The documentation does not answer this."


def as_markdown(answer: Answer, page: str) -> str:
    """Return the answer, then its excerpts with their sources; links as of the page asked."""
    links = [_link(excerpt, page) for excerpt in answer.excerpts]
    parts = [f"> {answer.question}"]
    if answer.is_found:
        parts += [_here(answer.text, answer.excerpts[0], page), _credit(answer, links), "---"]
        for excerpt, link in zip(answer.excerpts, links, strict=True):
            parts += [f"### {link}", _here(excerpt.text, excerpt, page)]
    else:
        parts.append(_NOT_FOUND)
        if links:
            parts += ["The nearest sections:", "\n".join(f"- {link}" for link in links)]
    return "\n\n".join(parts) + "\n"


def as_json(answer: Answer, page: str) -> bytes:
    """Return the answer as the object that docs/docs_site.md describes."""
    excerpts = [
        {
            "title": excerpt.section.heading,
            "page": excerpt.section.title,
            "url": _url(excerpt, page),
            "text": _here(excerpt.text, excerpt, page),
            "score": round(excerpt.score, 3),
        }
        for excerpt in answer.excerpts
    ]
    return msgspec.json.encode(
        {
            "question": answer.question,
            "found": answer.is_found,
            "answer": _here(answer.text, answer.excerpts[0], page) if answer.is_found else "",
            "written_by": answer.written_by,
            "source": excerpts[0]["url"] if answer.is_found else None,
            "excerpts": excerpts,
        }
    )


def _credit(answer: Answer, links: list[str]) -> str:
    """Return where an answer comes from, and that a model worded it if one did."""
    if answer.written_by == "extract":
        return f"Source: {links[0]}"
    return f"Written by a model from the sections below, first of all {links[0]}."


def _here(text: str, excerpt: Excerpt, page: str) -> str:
    """Return a quotation with its links as they are from the page that was asked."""
    source = excerpt.section.page
    base = markdown_address(page)

    def aimed(match: re.Match[str]) -> str:
        name, mark, anchor = match[1].partition("#")
        if "://" in match[1]:
            return match[0]
        target = posixpath.join(posixpath.dirname(source), name) if name else source
        return f"]({relative(base, posixpath.normpath(target))}{mark}{anchor})"

    return _LINK_TARGET.sub(aimed, text)


def _url(excerpt: Excerpt, page: str) -> str:
    section = excerpt.section
    anchor = f"#{section.anchor}" if section.anchor else ""
    return relative(markdown_address(page), address(section.page)) + anchor


def _link(excerpt: Excerpt, page: str) -> str:
    section = excerpt.section
    name = section.title
    if section.trail:
        name = f"{section.title}: {section.heading}"
    return f"[{name}]({_url(excerpt, page)})"
