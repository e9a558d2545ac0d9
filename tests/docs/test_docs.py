"""The documents run: the snippets of README and guides in order, and every notebook from first cell to last."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from sash.simulator import Simulator

ROOT = Path(__file__).parents[2]
GUIDES = sorted((ROOT / "docs" / "guide").glob("*.md"))
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


def test_readme_snippets_run_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every python block of the README runs as it stands, the first one against a server where Claude would be."""
    monkeypatch.chdir(tmp_path)
    with Simulator().serve() as url:
        monkeypatch.setenv("ANTHROPIC_API_KEY", "any")
        monkeypatch.setenv("ANTHROPIC_BASE_URL", url)
        namespace: dict[str, object] = {"__name__": "readme"}
        for snippet in snippets("README.md"):
            exec(compile(snippet, "README.md", "exec"), namespace)
        namespace["chat"].close()  # type: ignore[attr-defined]
    assert len(snippets("README.md")) >= 6


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.stem)
def test_guide_snippets_run_in_order(
    guide: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """Every python block of a guide runs as it stands, without a key."""
    if guide.stem in ON_A_SERVER:
        monkeypatch.setenv("SASH_DATABASE", request.getfixturevalue("postgres_url"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    namespace: dict[str, object] = {"__name__": guide.stem}
    found = snippets(str(guide.relative_to(ROOT)))
    for snippet in found:
        exec(compile(snippet, guide.name, "exec"), namespace)
    assert found


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs(notebook: Path) -> None:
    """Every cell of the notebook runs on the simulator, without a key."""
    content = nbformat.read(notebook, as_version=4)  # type: ignore[no-untyped-call]
    NotebookClient(content, timeout=600, startup_timeout=600, kernel_name="python3").execute()
