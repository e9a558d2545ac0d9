"""Documents that stand at the top of the project, for its readers there: their links as the site has them."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENTS = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
}
"""File at the top: its address on the site."""
FOLDERS = (("docs/", ""), ("benchmarks/results/", "benchmarks/"), ("examples/README.md", "examples/index.md"))
"""Folders that links point into, and where the site has their pages."""


def pages() -> dict[str, str]:
    """A page for each."""
    return {address: on_site((ROOT / name).read_text(encoding="utf-8")) for name, address in DOCUMENTS.items()}


def on_site(text: str) -> str:
    """The text with links between documents turned into links between pages."""
    return re.sub(r"(?<=\]\()([\w./-]+)", lambda found: _address(found[1]), text)


def _address(link: str) -> str:
    if link in DOCUMENTS:
        return DOCUMENTS[link]
    for folder, place in FOLDERS:
        if link.startswith(folder):
            return re.sub(r"\.txt$", ".md", place + link.removeprefix(folder))
    return link
