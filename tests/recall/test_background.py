"""Embedding beside the conversation, searching by Claude itself, and by meaning from the command line."""

from __future__ import annotations

import asyncio
import sqlite3
from importlib.util import find_spec
from pathlib import Path

import pytest
from click.testing import CliRunner

from sash import AsyncConversation, Conversation, Recall
from sash.cli import main
from sash.simulator import Simulator


class Letters:
    """An embedder that counts letters, and the texts it was given."""

    def __init__(self, name: str = "letters") -> None:
        self.name = name
        self.seen: list[str] = []

    def embed(self, texts: list[str], /) -> list[list[float]]:
        """How often each letter stands in a text."""
        self.seen += texts
        return [[float(text.lower().count(letter)) for letter in "abcdefghijklmnopqrstuvwxyz"] for text in texts]


def vectors(path: Path) -> list[tuple[str, int]]:
    """How many vectors there are, by embedder."""
    with sqlite3.connect(path) as db:
        found = db.execute("SELECT embedder, count(*) FROM vectors GROUP BY embedder").fetchall()
    db.close()
    return found


def test_turns_are_embedded_after_each_send(tmp_path: Path) -> None:
    """No search is needed: once settled, question and reply have their vectors, each text embedded once."""
    embedder, path = Letters(), tmp_path / "chats.db"
    with Conversation(path, id="a", client="simulator", recall=Recall(semantic=embedder)) as chat:
        chat.send("The lamp is green.")
        chat.wait_for_background()
        assert vectors(path) == [("letters", 2)]
        chat.send("And the door?")
        chat.wait_for_background()
    assert vectors(path) == [("letters", 4)] and len(embedder.seen) == 4


def test_what_was_missed_is_caught_up_after_a_restart(tmp_path: Path) -> None:
    """Opening a conversation embeds what has no vector yet."""
    path = tmp_path / "chats.db"
    with Conversation(path, id="a", client="simulator") as chat:
        chat.send("The lamp is green.")
    with Conversation(path, id="a", client="simulator", recall=Recall(semantic=Letters())) as chat:
        chat.wait_for_background()
        assert vectors(path) == [("letters", 2)]


def test_vectors_of_another_model_are_made_anew(tmp_path: Path) -> None:
    """Two embedders never share a search: the second replaces the first one's vectors."""
    path = tmp_path / "chats.db"
    for name in ("one", "two"):
        with Conversation(path, id="a", client="simulator", recall=Recall(semantic=Letters(name))) as chat:
            chat.send(f"The lamp is green, says {name}.")
            chat.wait_for_background()
    with Conversation(path, id="a", client="simulator", recall=Recall(semantic=Letters("two"))) as chat:
        assert chat.recall("lamp", semantic=Letters("two"))
    assert [name for name, _ in vectors(path)] == ["two"]


def test_async_conversations_embed_in_a_task(tmp_path: Path) -> None:
    """The same with await."""
    path = tmp_path / "chats.db"

    async def talk() -> None:
        async with AsyncConversation(path, id="a", client="simulator", recall=Recall(semantic=Letters())) as chat:
            await chat.send("The lamp is green.")
            await chat.wait_for_background()

    asyncio.run(talk())
    assert vectors(path) == [("letters", 2)]


def test_claude_searches_the_history_itself() -> None:
    """The tool finds old turns, quoted, and not the question that is being worked on."""
    sim = Simulator()
    with Conversation(client=sim.client(), clock=sim.clock.now) as chat:
        chat.send("My locker code is 7731.")
        chat.send("Let us talk of something else.")
        sim.script([[{"type": "tool_use", "name": "search_history", "input": {"query": "locker code"}}]])
        chat.run("Which locker code did I name?", tools=[chat.recall_tool()])
        result = next(block for turn in chat.history() for block in turn.blocks if block["type"] == "tool_result")
        told = str(result["content"])
        assert "7731" in told and "<recalled>" in told and "Which locker code" not in told


def test_an_empty_search_of_claudes_finds_nothing() -> None:
    """A query without words is answered in words."""
    sim = Simulator()
    with Conversation(client=sim.client(), clock=sim.clock.now) as chat:
        chat.send("My locker code is 7731.")
        assert chat.recall_tool().call({"query": "?!"}) == "Nothing was found."


@pytest.mark.skipif(find_spec("wordllama") is None, reason="the extra `semantic` is not installed")
def test_the_command_line_searches_by_meaning(tmp_path: Path) -> None:
    """`sash search --semantic` finds a turn that shares no word with the query, a shared one once."""
    path = tmp_path / "chats.db"
    with Conversation(path, id="a", client="simulator") as chat:
        chat.send("My puppy chewed on the sofa.")
        chat.send("The invoice is due on Monday.")
        chat.fork(id="b").close()
    found = CliRunner().invoke(main, ["search", str(path), "dogs and furniture", "--semantic", "--limit", "1"])
    assert found.exit_code == 0 and "puppy" in found.output
