"""The documentation site: what mkdocs would say of its pages, told in a moment. `make docs` builds it."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path
from posixpath import dirname, join, normpath
from typing import Any

import pytest
import yaml

import pages
from pages import api
from pages.docstrings import as_markdown
from sash import Conversation, errors

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
CONFIG = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
INLINE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    """The pages that are made while the site is built."""
    return pages.made()


@pytest.fixture(scope="module")
def texts(made: dict[str, str]) -> dict[str, str]:
    """All pages of the site by address."""
    return made | {str(file.relative_to(DOCS)): file.read_text() for file in DOCS.rglob("*.md")}


def listed(nav: Any) -> list[str]:
    """The addresses in a navigation, in order."""
    if isinstance(nav, str):
        return [nav]
    return [address for item in (nav.values() if isinstance(nav, dict) else nav) for address in listed(item)]


def test_the_navigation_lists_every_page_once(texts: dict[str, str]) -> None:
    """Each page, written or made, stands in the navigation of mkdocs.yml exactly once, and nothing else does."""
    named = listed(CONFIG["nav"]) + listed(list(pages.sections().values()))
    assert sorted(named) == sorted(texts)


def test_links_between_pages_lead_somewhere(texts: dict[str, str]) -> None:
    """A relative link of a page names a page of the site, or a file beside the pages; none leads out of them."""
    files = {str(file.relative_to(DOCS)) for file in DOCS.rglob("*") if file.is_file()}
    wrong = [
        (address, link)
        for address, text in texts.items()
        for link in re.findall(r"\]\(([^)#\s]+)", INLINE.sub("", text))
        if not link.startswith(("https://", "http://"))
        and normpath(join(dirname(address), link)) not in texts.keys() | files
    ]
    assert wrong == []


def test_the_reference_has_every_public_name(made: dict[str, str]) -> None:
    """What a door exports stands in the reference, and each entry there is a name that exists."""
    entries = set(re.findall(r"^::: (\S+)$", "\n".join(made.values()), re.MULTILINE))
    doors = {f"{door}.{name}" for door in api.DOORS for name in getattr(importlib.import_module(door), "__all__", ())}
    named = [one.rpartition(".") for one in entries]
    assert doors - api.DOORS.keys() <= entries
    assert [name for door, _, name in named if not hasattr(importlib.import_module(door), name)] == []
    assert {"sash.Conversation", "sash.errors.SashError"} <= entries


def test_tables_of_docstrings_are_tables_on_the_site() -> None:
    """Each row of a docstring's table becomes a row of Markdown, whole where it takes several lines."""
    shown = as_markdown(inspect.getdoc(Conversation) or "")
    assert "===" not in shown
    (row,) = re.findall(r"^\| `max_result` \|.*$", shown, re.MULTILINE)
    assert "may read on (None: by price" in row


def test_every_error_is_told_with_its_remedy() -> None:
    """The guide to errors has a row for each error of the tree, the three families as headings."""
    guide = (DOCS / "guide" / "errors.md").read_text()
    tree = {name: value for name, value in vars(errors).items() if getattr(value, "__module__", "") == errors.__name__}
    families = {error.__name__ for error in errors.SashError.__subclasses__()} & tree.keys()
    rows = set(re.findall(r"^\| `(\w+)` \|", guide, re.MULTILINE))
    assert rows == tree.keys() - families - {"SashError"}
    assert all(f"`{family}`" in guide for family in families)


def test_what_snippets_import_is_in_the_reference(texts: dict[str, str]) -> None:
    """A module that a snippet imports from has a page of reference, so that what it shows can be looked up."""
    snippets = [code for text in texts.values() for code in re.findall(r"```python\n(.*?)```", text, re.DOTALL)]
    named = set(re.findall(r"^\s*from (sash[\w.]*) import", "\n".join(snippets), re.MULTILINE))
    assert named - set(api.DOORS) == set()
