"""Is every page of the documentation a page of the site? Links, anchors, examples, Markdown."""

import ast
import json
import re
import shutil
import subprocess
import tomllib
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin

import pytest

from arkway.site import source_io
from arkway.site.markdown import render
from arkway.site.pages import Site
from arkway.site.sections import sections

PAGES = source_io.read_pages()
BASE = "http://site/docs/"

every_page = pytest.mark.parametrize("path", sorted(PAGES))


@pytest.fixture(scope="module")
def site() -> Site:
    return Site(PAGES)


class Anatomy(HTMLParser):
    """The links, anchors and unclosed tags of a page."""

    VOID = frozenset({"meta", "link", "input", "br", "hr", "img", "wbr"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.links += [found[name] for name in ("href", "src", "action") if name in found]
        self.ids += [found["id"]] if "id" in found else []
        self.wrong += [f"{tag} {name}" for name in found if name.startswith("on")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag in self.VOID:  # `<img … />`
            return
        if self.open and self.open[-1] == tag:
            self.open.pop()
        else:
            self.wrong.append(f"</{tag}>")


@pytest.fixture(scope="module")
def anatomies(site) -> dict[str, Anatomy]:
    return {
        address: Anatomy(site.render(address, "", "text/html").body.decode())
        for address in site.book.by_address
    }


@every_page
def test_every_page_renders_in_both_forms(site, path):
    leaf = site.book.leaves[path]
    html = site.render(leaf.address, "", "text/html")

    assert html.status == 200
    assert html.body.count(b"<h1") == 1
    assert len(html.body) < 400_000


def test_pages_are_well_formed_and_their_anchors_are_unique(anatomies):
    for address, page in anatomies.items():
        assert (page.open, page.wrong) == ([], []), address
        assert len(set(page.ids)) == len(page.ids), address


def test_links_resolve_in_html(site, anatomies):
    broken = []
    for address, page in anatomies.items():
        for link in page.links:
            target = urljoin(BASE + address, link)
            if not target.startswith(BASE):
                if not target.startswith(("https://", "http://127.0.0.1")):
                    broken.append((address, link))
                continue
            path, _, anchor = target.removeprefix(BASE).partition("#")
            ids = anatomies[path].ids if path in anatomies else [anchor]
            if site.render(path, "", "text/html") is None or (anchor and anchor not in ids):
                broken.append((address, link))

    assert broken == []


def test_the_descriptions_are_linked_and_served(anatomies, site):
    assert "openapi.json" in anatomies["api"].links
    assert "admin-openapi.json" in anatomies["admin-api"].links
    assert site.render("openapi.json", "", "").content_type == "application/json"


@every_page
def test_search_and_html_name_the_same_anchors(path):
    html = {heading.anchor for heading in render(path, PAGES[path], PAGES).headings}

    assert {s.anchor for s in sections(path, PAGES[path])} - {""} <= html


def test_every_top_page_is_in_the_contents(site):
    listed = {leaf.path for part in site.book.parts if part.name != "More" for leaf in part.leaves}

    assert {path for path in PAGES if "/" not in path} - {"README.md"} <= listed


def blocks(language: str) -> list[tuple[str, str]]:
    return [
        (path, block)
        for path, text in PAGES.items()
        for block in re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    ]


def test_python_json_and_toml_examples_parse():
    for _, block in blocks("python"):
        ast.parse(block)
    for _, block in blocks("json"):
        json.loads(block)
    for _, block in blocks("toml"):
        tomllib.loads(block)
    assert len(blocks("python")) >= 3
    assert len(blocks("json")) >= 5


@pytest.mark.parametrize("shell", ["sh"])
def test_shell_examples_parse(shell):
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    for path, block in blocks("sh"):
        done = subprocess.run(
            [shell, "-n"], input=block, capture_output=True, text=True, timeout=10
        )
        assert done.returncode == 0, (path, block, done.stderr)
    assert len(blocks("sh")) >= 20


def test_node_examples_parse(tmp_path):
    node = shutil.which("node")
    if not node:
        pytest.skip("node is not installed")
    found = blocks("js")
    for number, (path, block) in enumerate(found):
        file = tmp_path / f"{number}.mjs"
        file.write_text(block)
        done = subprocess.run([node, "--check", file], capture_output=True, text=True, timeout=20)
        assert done.returncode == 0, (path, done.stderr)
    assert found


def test_go_examples_parse(tmp_path):
    gofmt = shutil.which("gofmt") or shutil.which("gofmt", path="/usr/local/go/bin:/usr/lib/go/bin")
    if not gofmt:
        pytest.skip("gofmt is not installed")
    found = blocks("go")
    for number, (path, block) in enumerate(found):
        file = tmp_path / f"{number}.go"
        file.write_text(block)
        done = subprocess.run([gofmt, "-l", file], capture_output=True, text=True, timeout=20)
        assert (done.returncode, done.stdout) == (0, ""), (path, done.stderr)
    assert found


def test_static_files_are_small_and_ours():
    for name in ("docs.css", "docs.js", "icon.svg"):
        body = source_io.read_static(name)
        assert len(body) < 16_000
        assert not re.search(rb"https?://(?!www\.w3\.org)|@import|eval\(|innerHTML", body), name


def test_the_contents_lead_to_every_page():
    names = {Path(path).name for path in PAGES if path.startswith("adr/")} - {"README.md"}

    assert all(f"]({name})" in PAGES["adr/README.md"] for name in names)
