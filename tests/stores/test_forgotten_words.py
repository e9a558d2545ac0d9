"""What is forgotten by one process, while others hold the words of a conversation in memory or read them just then."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from conftest import STORES
from recording import Recorder
from sash.recall.words import words
from sash.stores import database, vocabulary


@pytest.fixture(params=["sqlite", "postgres"])
def two(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Recorder, Recorder]]:
    """One conversation of two exchanges, held by two stores."""
    where = request.getfixturevalue("postgres_url") if request.param == "postgres" else tmp_path
    with ExitStack() as stack:
        one, other = (Recorder(stack.enter_context(closing(STORES[request.param](where)))) for _ in range(2))
        one.say("My suitcase is red.", "Noted.")
        one.say("The raincoat is blue.", "Noted.")
        yield one, other


def likes(record: Recorder) -> dict[str, tuple[int, ...]]:
    """Words like two misspelt ones, and where they stand."""
    found = record.store.index.like(record.key, words=("suticase", "raincaot"), embedder=False)
    return {one.like: one.seqs for one in found}


def forget(record: Recorder) -> None:
    """Take the words of the first turn out."""
    record.store.forgetting.redact(record.key, turn=record.turns()[0].id, reason="", at=2.0)


BEFORE, AFTER = {"suitcase": (1,), "raincoat": (3,)}, {"raincoat": (3,)}


def test_words_that_another_process_holds_are_forgotten(two: tuple[Recorder, Recorder]) -> None:
    """A search that comes after the forgetting finds nothing by the words, whoever had read them before."""
    one, other = two
    assert likes(one) == likes(other) == BEFORE
    forget(one)
    assert likes(one) == likes(other) == AFTER


def test_words_that_are_read_while_they_are_forgotten_are_forgotten(
    two: tuple[Recorder, Recorder], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read of the state before is found once, and never after that; nor is a store that was newer misled."""
    one, other = two

    def meanwhile(text: str) -> list[str]:
        monkeypatch.setattr(vocabulary, "words_of", words)
        forget(one)
        assert likes(one) == AFTER
        return words(text)

    monkeypatch.setattr(database, "PATIENCE", 0.0)  # of who forgets, for whoever still reads
    monkeypatch.setattr(vocabulary, "words_of", meanwhile)
    assert likes(other) == BEFORE
    assert likes(other) == likes(one) == AFTER


def test_forgetting_elsewhere_leaves_words_alone(
    two: tuple[Recorder, Recorder], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where another conversation is deleted, the words of this one need not be read again."""
    one, other = two
    assert likes(other) == BEFORE
    Recorder(one.store, id="b").say("My suitcase is green.", "Noted.")
    one.store.delete("b")
    monkeypatch.setattr(vocabulary, "words_of", lambda text: pytest.fail(f"read again: {text}"))
    assert likes(other) == BEFORE
