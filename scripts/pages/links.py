"""Links between files of the project, as links between pages of the site."""

from __future__ import annotations

import re
from posixpath import dirname, join, normpath, relpath

PLACES = (
    (r"README\.md", "index.md"),
    (r"CHANGELOG\.md", "changelog.md"),
    (r"CONTRIBUTING\.md", "contributing.md"),
    (r"SECURITY\.md", "security.md"),
    (r"docs/(.+)", r"\1"),
    (r"benchmarks/results/(\w+)\.\w+", r"benchmarks/\1.md"),
    (r"examples/README\.md", "examples/index.md"),
    (r"examples/(\w+)/README\.md", r"examples/\1.md"),
)
"""A file of the project, and its address on the site."""


def address_of(file: str) -> str:
    """Where a file of the project is shown; "" for one that is not."""
    for pattern, place in PLACES:
        if found := re.fullmatch(pattern, file):
            return found.expand(place)
    return ""


def on_site(text: str, file: str) -> str:
    """The text of a file with its links as they are on its page; those to what has no page are left as they are."""

    def shown(link: re.Match[str]) -> str:
        address = address_of(normpath(join(dirname(file), link[1])))
        return relpath(address, dirname(address_of(file)) or ".") if address else link[1]

    return re.sub(r"(?<=\]\()([\w./-]+)", shown, text)
