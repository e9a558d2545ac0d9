"""Tenants on the command line: `sash --namespace NAME ...` sees that tenant's conversations and no others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.conftest import Run


def test_a_tenant_sees_its_own_conversations_only(run: Run, database: Path) -> None:
    """What one namespace chats, shows, searches, counts, checks and exports, another does not see."""
    said = run(
        "--namespace", "acme", "chat", database, "--id", "deal", "--simulator", typed="The price is 77 crowns.\n"
    )
    assert said.exit_code == 0
    assert "deal" in run("--namespace", "acme", "show", database).output
    assert "mill" not in run("--namespace", "acme", "show", database).output
    assert "deal" not in run("show", database).output
    assert "77 [crowns]" in run("--namespace", "acme", "search", database, "crowns").output
    assert "nothing found" in run("search", database, "crowns").output
    assert run("--namespace", "acme", "show", database, "mill").exit_code == 1
    assert "1 conversation checked" in run("--namespace", "acme", "check", database).output
    assert json.loads(run("--namespace", "acme", "usage", database, "--json").output)[0]["requests"] == 1
    assert "77 crowns" in run("--namespace", "acme", "export", database, "deal").output


def test_an_import_goes_to_the_tenant(
    run: Run, database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment variable SASH_NAMESPACE names the tenant as the option does."""
    file = tmp_path / "said.json"
    file.write_text(json.dumps([{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi"}]))
    monkeypatch.setenv("SASH_NAMESPACE", "acme")
    assert run("import", database, file, "--id", "greeting").exit_code == 0
    assert "greeting" in run("show", database).output
    monkeypatch.delenv("SASH_NAMESPACE")
    assert "greeting" not in run("show", database).output
