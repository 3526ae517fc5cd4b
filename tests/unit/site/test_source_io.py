"""Are the pages found, in a checkout and in the package?"""

import json

import pytest

from arkway.site import source_io


def test_the_pages_of_this_tree():
    pages = source_io.read_pages()

    assert {"README.md", "api.md", "adr/README.md"} <= set(pages)
    assert pages["api.md"].startswith("# ")


def test_the_descriptions_of_both_apis():
    found = source_io.read_descriptions()

    assert list(found) == ["openapi.json", "admin-openapi.json"]
    assert all(json.loads(text)["openapi"] == "3.1.0" for text in found.values())


def test_the_package_wins(tmp_path, monkeypatch):
    (tmp_path / "sub").mkdir()
    (tmp_path / "README.md").write_text("# Packaged", "utf-8")
    (tmp_path / "sub" / "x.md").write_text("# X", "utf-8")
    (tmp_path / "note.txt").write_text("no page", "utf-8")
    monkeypatch.setattr(source_io, "_PACKAGED", tmp_path)

    assert source_io.read_pages() == {"README.md": "# Packaged", "sub/x.md": "# X"}


def test_without_any_it_says_where_it_looked(tmp_path, monkeypatch):
    monkeypatch.setattr(source_io, "_PACKAGED", tmp_path / "none")
    monkeypatch.setattr(source_io, "_CHECKOUT", tmp_path)

    with pytest.raises(FileNotFoundError, match="no documentation in"):
        source_io.read_pages()
