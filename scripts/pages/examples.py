"""The examples: what each shows and how it is run, with the files an engineer copies."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pages.links import on_site

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
SHOWN = {".py": "python", ".html": "html", ".yml": "yaml", ".toml": "toml", "": "text"}
"""Files that a page shows, by their ending, and their language."""


def pages() -> dict[str, str]:
    """The list, and a page for each."""
    return {"examples/index.md": _readme(EXAMPLES)} | {
        f"examples/{one.name}.md": "\n".join(_page(one)) for one in _folders()
    }


def listed() -> list[dict[str, str]]:
    """Their entries in the navigation."""
    return [{_title(one): f"examples/{one.name}.md"} for one in _folders()]


def _folders() -> list[Path]:
    return sorted(readme.parent for readme in EXAMPLES.glob("*/README.md"))


def _title(folder: Path) -> str:
    return (folder / "README.md").read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")


def _readme(folder: Path) -> str:
    file = folder / "README.md"
    return on_site(file.read_text(encoding="utf-8"), str(file.relative_to(ROOT)))


def _page(folder: Path) -> Iterator[str]:
    yield _readme(folder)
    for file in sorted(folder.iterdir()):
        if file.suffix in SHOWN and file.is_file():
            yield f"## {file.name}\n"
            yield f"```{SHOWN[file.suffix]}\n{file.read_text(encoding='utf-8').rstrip()}\n```\n"
