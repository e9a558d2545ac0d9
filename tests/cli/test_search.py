"""`sash search` in one conversation, by words and by meaning."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from cli.conftest import Run
from sash import Conversation
from sash.stores import embedders

INSTALLED = pytest.mark.skipif(find_spec("wordllama") is None, reason="the extra `semantic` is not installed")


@pytest.fixture
def both(database: Path) -> Path:
    """A second conversation beside the mill's, and one of another namespace."""
    for namespace, words in (("", "My puppy chewed on the sofa."), ("other", "A kitten scratched the armchair.")):
        with Conversation(database, id="pets", namespace=namespace, client="simulator") as chat:
            chat.extend([{"role": "user", "content": words}])
    return database


def test_words_are_sought_in_the_named_conversation(run: Run, both: Path) -> None:
    """--id leaves the others out."""
    assert "mill turn 1" in run("search", both, "slates", "--id", "mill").output
    assert "nothing found" in run("search", both, "slates", "--id", "pets").output


@INSTALLED
def test_meaning_is_sought_in_the_named_conversation(run: Run, both: Path) -> None:
    """--semantic with --id shows this conversation's turns alone, the nearest first, no more than --limit."""
    lines = run("search", both, "dogs and furniture", "--id", "pets", "--semantic").output.splitlines()
    assert len(lines) == 1 and "puppy" in lines[0]
    found = run("search", both, "What does the tiling cost?", "--id", "mill", "--semantic", "--limit", 2)
    lines = found.output.splitlines()
    assert len(lines) == 2 and "pets" not in "".join(lines)


@INSTALLED
def test_other_namespaces_are_never_shown(run: Run, both: Path) -> None:
    """Neither by words nor by meaning, in all conversations or in one of the same name."""
    for arguments in ((), ("--id", "pets")):
        assert "kitten" not in run("search", both, "cats and furniture", "--semantic", *arguments).output
        assert "kitten" not in run("search", both, "kitten", *arguments).output


def test_a_conversation_that_is_not_there_is_named(run: Run, both: Path) -> None:
    """Meaning is sought in no conversation that does not exist: one line, exit code 1."""
    failed = run("search", both, "dogs", "--id", "nobody", "--semantic")
    assert failed.exit_code == 1 and "nobody" in failed.output + failed.stderr


def test_without_the_extra_it_is_named(run: Run, both: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """--semantic says what to install where there is no embedder."""
    embedders.word_vectors.cache_clear()
    monkeypatch.setattr(embedders, "find_spec", {}.get)
    failed = run("search", both, "dogs", "--id", "pets", "--semantic")
    assert failed.exit_code == 1 and "sash[semantic]" in failed.output + failed.stderr
