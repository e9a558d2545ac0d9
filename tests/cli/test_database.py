"""Every command takes a URL where it takes a file, and SASH_DATABASE names the one that is meant without either."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cli.conftest import Run
from sash import Conversation

Ask = tuple[str, ...]


@pytest.fixture
def filled(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a record with one conversation, with a password that nobody asks for."""
    url = postgres_url.replace("postgres:@", "postgres:s3cr3t@")
    with Conversation(url, id="order", client="simulator", user="ann") as chat:
        chat.send("My order is number 1138, and I live in Haarlem.")
    monkeypatch.chdir("/")
    return url


COMMANDS: tuple[tuple[Ask, str], ...] = (
    (("show", "{db}"), "order"),
    (("show", "{db}", "order"), "1138"),
    (("search", "{db}", "number 1138"), "1138"),
    (("usage", "{db}"), "claude"),
    (("summaries", "{db}"), ""),
    (("profile", "{db}", "--user", "ann"), "Haarlem"),
    (("memory", "{db}"), ""),
    (("check", "{db}"), "0 with problems"),
    (("export", "{db}", "order"), "1138"),
    (("doctor", "{db}", "--simulator"), "1 request answered"),
    (("summarise", "{db}", "--simulator"), "0 summaries"),
    (("count", "--db", "{db}", "--id", "order"), "order"),
    (("replay", "{db}"), "order"),
    (("chat", "{db}", "--id", "order", "--simulator"), "Go on with"),
    (("delete", "{db}", "order", "--yes"), "order"),
)


@pytest.mark.parametrize(("arguments", "said"), COMMANDS, ids=[" ".join(one[0]) for one in COMMANDS])
def test_a_command_takes_a_url(run: Run, filled: str, arguments: Ask, said: str) -> None:
    """It answers as from a file, and never shows the password."""
    result = run(*(argument.format(db=filled) for argument in arguments))
    assert result.exit_code in (0, 1) and said in result.output, result.output
    assert "error" not in result.output and "s3cr3t" not in result.output


@pytest.mark.parametrize(
    "arguments",
    [
        *(("show",), ("show", "order"), ("usage",), ("delete", "order", "--yes"), ("search", "number 1138")),
        *(("replay", "--keep", 10), ("replay", "--id", "order")),
    ],
    ids=lambda arguments: "-".join(map(str, arguments)),
)
def test_the_default_is_meant_where_none_is_named(
    run: Run, filled: str, monkeypatch: pytest.MonkeyPatch, arguments: Ask
) -> None:
    """With SASH_DATABASE set, the other arguments follow the command."""
    monkeypatch.setenv("SASH_DATABASE", f"{filled}\n")  # as a file of secrets ends
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    assert "1138" in result.output or "order" in result.output or "claude" in result.output


def test_a_database_that_is_named_goes_before_the_default(
    run: Run, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is there, or a URL, is the database whatever SASH_DATABASE says."""
    with Conversation(path, id="mine", client="simulator") as chat:
        chat.send("Hello.")
    monkeypatch.setenv("SASH_DATABASE", str(path.with_name("other.db")))
    assert "mine" in run("show", path).output
    assert "does not exist" in run("show").output


def test_imports_and_chats_make_what_the_default_names(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is not there yet is made, as where it is named."""
    file = tmp_path / "talk.json"
    file.write_text('[{"role": "user", "content": "Hello."}, {"role": "assistant", "content": "Hi."}]')
    monkeypatch.setenv("SASH_DATABASE", str(tmp_path / "new.db"))
    assert run("import", file).exit_code == 0
    assert run("chat", "--simulator").exit_code == 0
    assert run("chat", tmp_path / "named.db", "--simulator").exit_code == 0
    assert sorted(one.name for one in tmp_path.glob("*.db")) == ["named.db", "new.db"]


@pytest.mark.parametrize(
    ("url", "said"),
    [("mysql://ann:pw@host/db", "mysql://"), ("postgresql://ann:s3cr3t@/?host=/nowhere", "names no database")],
)
def test_a_url_that_cannot_be_meant_is_one_red_line(run: Run, url: str, said: str) -> None:
    """Exit code 2, and no password."""
    result: Any = run("show", url)
    assert result.exit_code == 2 and said in result.output
    assert "pw@" not in result.output and "s3cr3t" not in result.output
