"""The package: what is in it, and what it says of itself. `make package` installs it into fresh environments."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source archive."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-d", str(folder)], cwd=ROOT, check=True)
    return folder


def test_the_wheel_holds_the_package_and_nothing_else(built: Path) -> None:
    """Every file of src is in the wheel, its types, templates and tables included, beside its metadata alone."""
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    source = {str(file.relative_to(ROOT / "src")) for file in (ROOT / "src").rglob("*") if file.is_file()}
    assert held == {name for name in source if "__pycache__" not in name}
    assert {"sash/py.typed", "sash/stores/schema.sql"} <= held


def test_the_source_archive_holds_what_is_versioned_and_nothing_else(built: Path) -> None:
    """No file gets into the archive that is not the project's own; package, tests and examples are there whole."""
    if not (ROOT / ".git").exists():
        pytest.skip("no repository to compare with")
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    versioned = set(listed.splitlines())
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        held = {name.split("/", 1)[1] for name in archive.getnames()} - {"PKG-INFO"}
    assert held <= versioned
    assert {name for name in versioned if name.startswith(("src/", "tests/", "examples/"))} <= held


def test_the_extra_all_is_all_of_them() -> None:
    """`sash[all]` brings what every other extra brings."""
    extras = set(PROJECT["optional-dependencies"]) - {"all"}
    assert PROJECT["optional-dependencies"]["all"] == [f"sash[{','.join(sorted(extras))}]"]


def test_every_extra_is_explained() -> None:
    """The page on installing names each extra."""
    page = (ROOT / "docs" / "start" / "install.md").read_text()
    assert [extra for extra in PROJECT["optional-dependencies"] if f".[{extra}]" not in page] == []


def test_the_workflows_test_the_versions_that_the_package_names() -> None:
    """What the classifiers promise is what is tested: each version of Python, from the lowest that is required on."""
    named = re.findall(r"Python :: (3\.\d+)$", "\n".join(PROJECT["classifiers"]), re.MULTILINE)
    checked = yaml.safe_load((ROOT / ".github" / "workflows" / "check.yml").read_text())
    assert checked["jobs"]["test"]["strategy"]["matrix"]["python"] == named
    assert PROJECT["requires-python"] == f">={named[0]}"


def test_what_workflows_hooks_and_guides_make_can_be_made() -> None:
    """Each `make ...` in a workflow, a hook, the README or CONTRIBUTING is a target that `make help` explains."""
    explained = set(re.findall(r"^([a-z-]+):.* ## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    files = [*(ROOT / ".github").rglob("*.y*ml"), ROOT / ".pre-commit-config.yaml"]
    ran = [line for file in files for line in re.findall(r"(?:run|entry): make ([a-z -]+)", file.read_text())]
    texts = [(ROOT / name).read_text() for name in ("README.md", "CONTRIBUTING.md")]
    told = [name for text in texts for name in re.findall(r"(?:`|^)make ([a-z-]+)", text, re.MULTILINE)]
    assert {name for line in ran for name in line.split()} | set(told) <= explained
    assert {"check", "docs", "package"} <= {name for line in ran for name in line.split()}
