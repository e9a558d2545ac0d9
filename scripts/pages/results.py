"""Benchmarks: the result files as they were written, and what each program measures."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"


def pages() -> dict[str, str]:
    """A page for each result that is text, and the list of the programs."""
    return {"benchmarks/index.md": "\n".join(_index())} | {_address(file): _page(file) for file in _files()}


def listed() -> list[dict[str, str]]:
    """Their entries in the navigation."""
    return [{file.stem.replace("_", " "): _address(file)} for file in _files()]


def _files() -> list[Path]:
    return sorted(file for file in RESULTS.iterdir() if file.suffix in (".txt", ".md"))


def _address(file: Path) -> str:
    return f"benchmarks/{file.stem}.md"


def _page(file: Path) -> str:
    text = file.read_text(encoding="utf-8")
    return text if file.suffix == ".md" else f"# {file.stem.replace('_', ' ')}\n\n```text\n{text.rstrip()}\n```\n"


def _index() -> Iterator[str]:
    yield "# Benchmarks\n"
    yield "Results are as the programs wrote them, with the command; `python -m benchmarks.NAME` runs one again.\n"
    yield "| program | measures | results |"
    yield "|---|---|---|"
    for name, doc in _programs():
        found = [file for file in _files() if file.stem == name or file.stem.startswith(f"{name}_")]
        yield f"| `benchmarks.{name}` | {doc} | {', '.join(f'[{one.stem}]({one.stem}.md)' for one in found)} |"
    yield ""


def _programs() -> Iterator[tuple[str, str]]:
    """Each program that is run by its name: the first sentence of its docstring."""
    for file in sorted((ROOT / "benchmarks").glob("*.py")) + sorted((ROOT / "benchmarks").glob("*/__main__.py")):
        text = file.read_text(encoding="utf-8")
        if "__main__" in text or file.name == "__main__.py":
            doc = " ".join((ast.get_docstring(ast.parse(text)) or "").split("\n\n")[0].split())
            yield (file.parent.name if file.name == "__main__.py" else file.stem), doc.replace("|", "\\|")
