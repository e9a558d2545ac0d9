"""Embedding beside the conversation, searching by Claude itself, and by meaning from the command line."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from sash import AsyncConversation, Conversation, Recall
from sash.cli import main
from sash.conversation.base import EMBEDDED
from sash.simulator import Simulator
from sash.stores import embedders


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


def lamps(count: int) -> list[Any]:
    """So many messages, said in turn."""
    return [{"role": ("user", "assistant")[at % 2], "content": f"Lamp {at} is green."} for at in range(count)]


def test_turns_are_embedded_on_the_way_some_at_a_time(tmp_path: Path) -> None:
    """No search is needed: whenever enough of them lack a vector, all turns get theirs, each text embedded once."""
    embedder, path = Letters(), tmp_path / "chats.db"
    with Conversation(path, id="a", client="simulator", recall=Recall(semantic=embedder)) as chat:
        for _ in range(EMBEDDED // 2 - 1):
            chat.send("The lamp is green.")
        chat.wait_for_background()
        assert vectors(path) == []
        chat.send("And the door?")
        chat.wait_for_background()
        assert vectors(path) == [("letters", EMBEDDED)]
        chat.extend(lamps(EMBEDDED))
        chat.wait_for_background()
    assert vectors(path) == [("letters", 2 * EMBEDDED)] and len(embedder.seen) == 2 * EMBEDDED


def test_what_was_missed_is_caught_up_after_a_restart(tmp_path: Path) -> None:
    """Opening a conversation embeds what has no vector yet, where that is much."""
    path = tmp_path / "chats.db"
    with Conversation(path, id="a", client="simulator", recall=False) as chat:
        chat.extend(lamps(EMBEDDED))
    with Conversation(path, id="a", client="simulator", recall=Recall(semantic=Letters())) as chat:
        chat.wait_for_background()
        assert vectors(path) == [("letters", EMBEDDED)]


class Slow(Letters):
    """An embedder that waits until it may go on."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.go = threading.Event(), threading.Event()

    def embed(self, texts: list[str], /) -> list[list[float]]:
        """The same, later."""
        self.begun.set()
        assert self.go.wait(60)
        return super().embed(texts)


def test_a_summary_does_not_wait_for_embedding() -> None:
    """While a history is being embedded, a summary that is due is made, and a cut finds it."""
    sim, embedder = Simulator(), Slow()
    settings: dict[str, Any] = {"recall": Recall(semantic=embedder), "summarise": True, "budget": 3_000, "keep": 600}
    with Conversation(client=sim.client(), clock=sim.clock.now, max_tokens=300, **settings) as chat:
        chat.extend(
            [*lamps(EMBEDDED - 1), {"role": "user", "content": "And?"}, {"role": "assistant", "content": "So."}]
        )
        assert embedder.begun.wait(60)
        for number in range(40):
            sim.clock.advance(30)
            chat.send(f"The order {number} came to Harbour Street {number}, as I was told by the clerk. " * 4)
            chat._summarising.wait()
        assert embedder.seen == [] and any(one.state == "ready" for one in chat.summaries())
        embedder.go.set()


def test_a_plan_writes_nothing_and_knows_meaning(tmp_path: Path) -> None:
    """A dry run finds by meaning what has no vector, and leaves the file as it is."""
    path, embedder = tmp_path / "chats.db", Letters()
    with Conversation(path, id="a", client="simulator", budget=1_200, keep=300, max_tokens=300) as chat:
        chat.send("zzz qqq")
        for number in range(8):
            chat.send(f"We talk of the weather in the mountains, number {number}. " * 8)
    recalls = Recall(semantic=embedder, words=False, tokens=100, neighbours=0)
    settings: dict[str, Any] = {"recall": recalls, "budget": 1_200, "keep": 300, "max_tokens": 300}
    with Conversation(path, id="a", client="simulator", **settings) as chat:
        chat.wait_for_background()
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
            before = list(db.iterdump())
            assert "zzz qqq" in str(chat.plan("zzq?").body["messages"])
            assert list(db.iterdump()) == before
        db.close()
    assert vectors(path) == []


@pytest.mark.skipif(find_spec("wordllama") is None, reason="the extra `semantic` is not installed")
@pytest.mark.parametrize("given", [{}, {"recall": Recall(tokens=9)}, {"memory": "none", "recall": True}])
def test_meaning_is_searched_where_the_extra_is_installed_and_nothing_else_is_said(given: Any) -> None:
    """What leaves it open is searched by meaning too; who says otherwise, gets words alone."""
    with Conversation(client="simulator", **given) as chat:
        recall = chat._chat().recall
        assert recall is not None and recall.semantic is True
    with Conversation(client="simulator", recall=Recall(semantic=False)) as chat:
        recall = chat._chat().recall
        assert recall is not None and recall.semantic is False


def test_without_the_extra_words_alone_are_searched(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is raised or logged, what words find is found, and nothing is embedded."""
    embedders.installed.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(embedders, "find_spec", {}.get)
        with Conversation(client="simulator", budget=1_200, keep=300, max_tokens=300) as chat:
            chat.send("My locker code is 7731.")
            for number in range(EMBEDDED):
                chat.send(f"We talk of the weather in the mountains, number {number}. " * 8)
            chat.wait_for_background()
            assert "7731" in str(chat.plan("Which code has my locker?").body["messages"])
            assert chat.recall("locker code")[0].turn.seq == 1
    embedders.installed.cache_clear()
    assert caplog.records == []


def test_vectors_of_another_model_are_made_anew(tmp_path: Path) -> None:
    """Two embedders never share a search: the second replaces the first one's vectors."""
    path = tmp_path / "chats.db"
    for name in ("one", "two"):
        with Conversation(path, id="a", client="simulator", recall=Recall(semantic=Letters(name))) as chat:
            chat.extend(lamps(EMBEDDED))
            chat.wait_for_background()
    with Conversation(path, id="a", client="simulator", recall=Recall(semantic=Letters("two"))) as chat:
        assert chat.recall("lamp", semantic=Letters("two"))
    assert [name for name, _ in vectors(path)] == ["two"]


def test_async_conversations_embed_in_a_task(tmp_path: Path) -> None:
    """The same with await."""
    path = tmp_path / "chats.db"

    async def talk() -> None:
        async with AsyncConversation(path, id="a", client="simulator", recall=Recall(semantic=Letters())) as chat:
            await chat.extend(lamps(EMBEDDED))
            await chat.wait_for_background()

    asyncio.run(talk())
    assert vectors(path) == [("letters", EMBEDDED)]


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
