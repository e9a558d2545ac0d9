"""The documents run: the snippets of README and of each page in order, and every notebook from first cell to last."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from sash.simulator import Simulator

ROOT = Path(__file__).parents[2]
WRITTEN = [*(ROOT / "docs").rglob("*.md"), ROOT / "CONTRIBUTING.md"]
PAGES = sorted(page for page in WRITTEN if "```python" in page.read_text())
ON_A_SERVER = ("scale",)
TOPS = ("src", "tests", "benchmarks", "scripts", "notebooks")
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def snippets(document: str) -> list[str]:
    """The python blocks of a document, in order."""
    return re.findall(r"^```python\n(.*?)^```", (ROOT / document).read_text(), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("document", ["README.md", "docs/architecture.md"])
def test_files_named_in_the_map_are_there(document: str) -> None:
    """Every module and folder that README or architecture names exists, as they say or below the folder meant."""
    named = re.findall(r"`([a-z_/]+(?:\.py|/))`", (ROOT / document).read_text())
    there = [f"/{path.relative_to(ROOT)}/" for top in TOPS for path in (ROOT / top).rglob("*")]
    made = {"counterexamples/"}
    missing = [name for name in named if not any(f"/{name.rstrip('/')}/" in path for path in there)]
    assert named and set(missing) <= made


def run_snippets(document: str) -> dict[str, object]:
    """Run the python blocks of a document in order, in one namespace; that is given back."""
    namespace: dict[str, object] = {"__name__": Path(document).stem}
    for snippet in snippets(document):
        exec(compile(snippet, document, "exec", dont_inherit=True), namespace)
    return namespace


def test_readme_snippets_run_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The python blocks of the README run as they stand, against a server where Claude would be."""
    monkeypatch.chdir(tmp_path)
    with Simulator().serve() as url:
        monkeypatch.setenv("ANTHROPIC_API_KEY", "any")
        monkeypatch.setenv("ANTHROPIC_BASE_URL", url)
        run_snippets("README.md")["chat"].close()  # type: ignore[attr-defined]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_snippets_of_a_page_run_in_order(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """Every python block of a page runs as it stands, without a key."""
    document = str(page.relative_to(ROOT))
    if page.stem in ON_A_SERVER:
        monkeypatch.setenv("SASH_DATABASE", request.getfixturevalue("postgres_url"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    run_snippets(document)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs(notebook: Path) -> None:
    """Every cell of the notebook runs on the simulator, without a key."""
    content = nbformat.read(notebook, as_version=4)  # type: ignore[no-untyped-call]
    NotebookClient(content, timeout=600, startup_timeout=600, kernel_name="python3").execute()
