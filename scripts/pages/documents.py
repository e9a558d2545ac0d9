"""Documents that stand at the top of the project, for its readers there."""

from __future__ import annotations

from pathlib import Path

from pages.links import address_of, on_site

ROOT = Path(__file__).parents[2]
DOCUMENTS = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")


def pages() -> dict[str, str]:
    """A page for each."""
    return {address_of(name): on_site((ROOT / name).read_text(encoding="utf-8"), name) for name in DOCUMENTS}
