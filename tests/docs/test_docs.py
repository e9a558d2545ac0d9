"""The documents run: the snippets of README and of each page in order, and every notebook from first cell to last."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

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
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)  # as in an activated environment
    run_snippets(document)


class Shell(InteractiveShell):
    """IPython in this process: it runs cells and shows their values in every form, as a notebook's kernel does."""

    def enable_gui(self, gui: str | None = None) -> None:
        """Pictures are drawn into the notebook: there is no window to open."""
        assert gui is None


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """One for all notebooks, each with names of its own."""
    patch = pytest.MonkeyPatch()
    patch.setenv("IPYTHONDIR", str(tmp_path_factory.mktemp("ipython")))
    patch.setenv("MPLBACKEND", "agg")
    settings = Config()
    settings.HistoryManager.enabled = False
    shown, main = sys.displayhook, sys.modules["__main__"]
    yield Shell.instance(config=settings)
    Shell.clear_instance()
    sys.displayhook, sys.modules["__main__"] = shown, main
    patch.undo()


@pytest.mark.filterwarnings("ignore:FigureCanvasAgg is non-interactive")
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs(notebook: Path, shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every cell of the notebook runs on the simulator, without a key."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    shell.reset(new_session=False)  # type: ignore[no-untyped-call]
    for cell in json.loads(notebook.read_text())["cells"]:
        if cell["cell_type"] == "code":
            shell.run_cell("".join(cell["source"])).raise_error()  # type: ignore[no-untyped-call]
