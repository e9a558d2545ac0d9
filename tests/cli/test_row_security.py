"""`sash row-security`, and commands for a user of the server whom it holds."""

from __future__ import annotations

from pathlib import Path

import servers
from cli.conftest import Run
from sash import Conversation


def test_it_is_turned_on_told_and_turned_off(run: Run, postgres_url: str) -> None:
    """By the owner; without --on or --off it is told how it stands."""
    assert "is off" in run("row-security", postgres_url).output
    servers.keep_tenants_apart(postgres_url)
    assert "is on" in run("row-security", postgres_url).output
    assert "is on" in run("row-security", postgres_url, "--on", "--user", servers.APPLICATION).output
    assert "is off" in run("row-security", postgres_url, "--off").output
    assert run("row-security", postgres_url, "--off", "--user", servers.APPLICATION).exit_code == 2


def test_a_file_has_no_users(run: Run, path: Path) -> None:
    """It is said so, and what to name instead."""
    with Conversation(path, client="simulator") as chat:
        chat.send("Hello.")
    result = run("row-security", path, "--on")
    assert result.exit_code == 2 and "PostgreSQL database" in result.output


def test_commands_are_for_the_tenant_that_is_named(run: Run, postgres_url: str, tmp_path: Path) -> None:
    """Lists, search, copies and deletion for `--namespace`; a copy of all is refused to whom only one is shown."""
    servers.keep_tenants_apart(postgres_url)
    url = servers.as_application(postgres_url)
    for tenant in ("acme", "other"):
        with Conversation(url, id=f"of {tenant}", namespace=tenant, client="simulator") as chat:
            chat.send("Where is order 1138?")
    assert "of acme" in (listed := run("--namespace", "acme", "show", url).output) and "of other" not in listed
    assert "1138" in run("--namespace", "acme", "search", url, "1138").output
    refused = run("copy", url, tmp_path / "all.db")
    assert refused.exit_code == 2 and "one namespace at a time" in refused.output
    assert "1 conversation copied" in run("--namespace", "acme", "copy", url, tmp_path / "acme.db").output
    assert run("--namespace", "acme", "delete", url, "of acme", "--yes").exit_code == 0
    assert "of acme" not in run("--namespace", "acme", "show", url).output
    assert "of other" in run("--namespace", "other", "show", url).output


def test_doctor_says_whom_it_holds(run: Run, postgres_url: str) -> None:
    """Who comes as the owner is told that nothing holds them; an application that it does."""
    servers.keep_tenants_apart(postgres_url)
    owner, application = (
        " ".join((told := run("doctor", url, "--simulator")).output.split()) * (told.exit_code == 0)
        for url in (postgres_url, servers.as_application(postgres_url))
    )
    assert "does not hold this user" in owner
    assert "one namespace at a time" in application
