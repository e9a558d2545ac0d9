"""`sash copy`: from a file to a URL and back."""

from __future__ import annotations

import json
from pathlib import Path

from cli.conftest import Run
from sash import Conversation


def test_it_says_what_it_did(run: Run, path: Path, tmp_path: Path, postgres_url: str) -> None:
    """One tenant or all; a second time it finds all of it there; what cannot be meant is one red line."""
    with Conversation(path, id="a", client="simulator") as chat:
        chat.send("hello")
    first = run("copy", path, postgres_url).output
    assert "1 conversation copied" in first and "1 past request rebuilt" in first
    assert "were there already" in run("copy", path, postgres_url).output
    assert "0 conversations copied" in run("--namespace", "acme", "copy", postgres_url, tmp_path / "acme.db").output
    assert "1 conversation copied" in run("copy", postgres_url, tmp_path / "back.db").output
    assert "hello" in run("show", tmp_path / "back.db", "a").output
    told = json.loads(run("copy", path, tmp_path / "told.db", "--json").stdout)
    assert (told["conversations"], told["rebuilt"], told["known"]) == (1, 1, 0) and told["rows"] > 2
    again = run("copy", postgres_url, postgres_url)
    assert again.exit_code == 2 and "copied from and to" in again.output
