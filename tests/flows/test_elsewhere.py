"""Recall over a user's other conversations: what they hold comes back, with its place, within half of the share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sash import Conversation, MemoryStore, Recall, SteppedWindow, check_request
from sash.errors import InvalidOption
from sash.simulator import Simulator
from sash.stores.around import around

QUESTION = "What is the name of the mule that carries the flour?"
RECALL = Recall(tokens=1_000, scope="user")


def say(store: Any, id: str, *said: str, user: str | None = "ann", namespace: str = "") -> None:
    """Say something in a conversation."""
    with Conversation(store, id=id, user=user, namespace=namespace, client=Simulator().client()) as chat:
        for text in said:
            chat.send(text)


@pytest.fixture
def store() -> Any:
    """Conversations of Ann, of Bob, of nobody, and of an Ann of another tenant."""
    made = MemoryStore()
    say(made, "mill", "The mule that carries the flour is called Rocinante, odd as that is.")
    say(made, "garden", "The roses want water every second day.")
    say(made, "bobs", "The mule that carries the flour is called Bucephalus.", user="bob")
    say(made, "nobodys", "The mule that carries the flour is called Incitatus.", user=None)
    say(made, "acmes", "The mule that carries the flour is called Marengo.", namespace="acme")
    return made


def sent(sim: Simulator) -> str:
    """The newest request as text."""
    return str(sim.messages[-1].body["messages"])


def test_what_another_conversation_holds_comes_back(store: Any, sim: Simulator) -> None:
    """In the first request already, with the conversation's id; of others, of nobody and of other tenants, nothing."""
    with Conversation(store, id="new", user="ann", client=sim.client(), recall=RECALL) as chat:
        plan = chat.plan(QUESTION)
        chat.send(QUESTION)
        assert chat.request(1).intact
    assert "Rocinante" in sent(sim) and "Conversation mill:" in sent(sim)
    assert not any(name in sent(sim) for name in ("Bucephalus", "Incitatus", "Marengo"))
    assert "other conversations: 2 turns of 'mill'" in plan.explain()
    assert check_request(sim.messages[-1].body) == []


@pytest.mark.parametrize("id", ["ann:2026", "it's: odd", "both \" and ': here", "ends in \\"])
def test_a_plan_names_other_conversations_whole(sim: Simulator, id: str) -> None:
    """Whatever signs an id holds, a plan tells it in full."""
    made = MemoryStore()
    say(made, id, "The mule that carries the flour is called Rocinante, odd as that is.")
    with Conversation(made, id="new", user="ann", client=sim.client(), recall=RECALL) as chat:
        assert f"other conversations: 2 turns of {id!r}." in chat.plan(QUESTION).explain()


@pytest.mark.parametrize("settings", [{"recall": Recall()}, {"memory": "balanced"}, {"memory": "full", "user": None}])
def test_it_is_asked_for(store: Any, sim: Simulator, settings: dict[str, Any]) -> None:
    """Only by scope, or by a mode that says so and a user."""
    with Conversation(store, id="new", client=sim.client(), **{"user": "ann", **settings}) as chat:
        chat.send(QUESTION)
    assert "Rocinante" not in sent(sim)


@pytest.mark.parametrize("memory", ["full", "all"])
def test_modes_for_long_relations_ask(store: Any, sim: Simulator, memory: Any) -> None:
    """Where the conversation is somebody's."""
    with Conversation(store, id="new", user="ann", memory=memory, client=sim.client()) as chat:
        chat.send(QUESTION)
    assert "Rocinante" in sent(sim)


def test_others_get_half_of_the_share_at_most(sim: Simulator) -> None:
    """However much they hold, half is left for what was said here."""
    store = MemoryStore()
    say(store, "mill", *(f"Sack {n} of the flour went to the mill in March." for n in range(40)))
    with Conversation(
        store, id="new", user="ann", client=sim.client(), recall=RECALL, budget=4_000,
        strategy=SteppedWindow(keep=200, high=600),
    ) as chat:  # fmt: skip
        chat.send("The flour of sack 77 was wet.")
        for n in range(12):
            chat.send(f"Another remark, number {n}, on the weather. " * 6)
        chat.send("Which sacks of flour were there, and which was wet?")
        shown = chat.plan("Which sacks of flour were there?").attachment
    text = sent(sim)
    there = text[text.index("<recalled_elsewhere>") : text.index("</recalled_elsewhere>")]
    assert "sack 77 was wet" in text and "Sack 3" in there and len(there) < 500 * 5
    assert shown is None or shown.tokens <= 1_100


def test_other_conversations_are_searched_once_for_a_question(store: Any, sim: Simulator) -> None:
    """However often a plan is tried, with a cut and with less."""
    asked: list[str] = []

    @contextmanager
    def noted(name: str, _: Any) -> Iterator[None]:
        asked.append(name)
        yield

    with Conversation(
        around(store, noted), id="new", user="ann", client=sim.client(), recall=RECALL, budget=1_500, keep=1_300,
        max_tokens=300,
    ) as chat:  # fmt: skip
        for n in range(16):
            chat.send(f"A remark, number {n}, on the weather in the mountains of flour. " * 6)
        asked.clear()
        plan = chat.plan(QUESTION)
    assert asked.count("index.elsewhere") == 1 < asked.count("index.match")
    assert "Recalled no more than" in plan.explain() or plan.cut


def test_what_was_quoted_is_not_quoted_again(store: Any, sim: Simulator) -> None:
    """While it stands in the view."""
    with Conversation(store, id="new", user="ann", client=sim.client(), recall=RECALL) as chat:
        chat.send(QUESTION)
        chat.send("Please tell me the name of the mule that carries the flour again?")
    assert sent(sim).count("<recalled_elsewhere>") == 1


def test_redaction_reaches_it(store: Any, sim: Simulator) -> None:
    """Words taken out of the other conversation leave this one's requests."""
    with Conversation(store, id="new", user="ann", client=sim.client(), recall=RECALL) as chat:
        chat.send(QUESTION)
        with Conversation(store, id="mill", client=Simulator().client()) as mill:
            mill.redact(mill.history()[0])
            mill.redact(mill.history()[1])
        assert "Rocinante" not in str(chat.request(1).body)
        chat.send("Go on.")
    assert "<recalled_elsewhere>" not in sent(sim)


@pytest.mark.parametrize(
    ("said", "settings"),
    [("The mule of the flour is called Rocinante.", {"recall": RECALL}), ("I live in Haarlem.", {"recall": False})],
)
@pytest.mark.parametrize("forget", ["redact", "delete"])
def test_where_quotes_go_a_new_view_begins(sim: Simulator, said: str, settings: Any, forget: str) -> None:
    """A quote that is forgotten where it was said changes a prefix: no request is refused for it."""
    store, noun = MemoryStore(), said.rstrip(".").split()[-1]
    say(store, "mill", said)
    with Conversation(store, id="new", user="ann", client=sim.client(), **settings) as chat:
        chat.send(f"{QUESTION} Think hard.")
        chat.send("Think hard about something else.")
        assert noun in sent(sim)
        if forget == "delete":
            store.delete("mill")
        else:
            with Conversation(store, id="mill", client=Simulator().client()) as mill:
                mill.redact(mill.history()[0])
                mill.redact(mill.history()[1])
        chat.send("Go on.")
        assert [attempt.status for attempt in sim.messages] == [200, 200, 200]
        assert "quoted" in chat.request(3).epoch.reason or "redacted" in chat.request(3).epoch.reason
        assert noun not in str(chat.request(1).body)


def test_searching_by_hand(store: Any) -> None:
    """`chat.recall(query, scope="user")` tells which conversation holds what."""
    with Conversation(store, id="new", user="ann", client="simulator") as chat:
        found = chat.recall("the mule that carries the flour", scope="user")
        assert next(one.conversation for one in found if "Rocinante" in one.text) == "mill"
        assert chat.recall("the mule that carries the flour") == []


def test_a_scope_without_a_user_is_refused(tmp_path: Path) -> None:
    """Before there is a conversation; a recorded user will do, and an unknown scope is named."""
    path = tmp_path / "a.db"
    with pytest.raises(InvalidOption, match="say whose"):
        Conversation(path, id="a", client="simulator", recall=RECALL)
    say(str(path), "b", "Hello", user=None)
    with pytest.raises(InvalidOption, match="say whose"):
        Conversation(path, id="b", client="simulator", recall=RECALL)
    say(str(path), "c", "Hello")
    Conversation(path, id="c", client="simulator", recall=RECALL).close()
    with Conversation(path, id="b", client="simulator") as nobodys, pytest.raises(InvalidOption, match="nobody's"):
        nobodys.recall("Hello", scope="user")
    with pytest.raises(InvalidOption, match="scope='everybody'"):
        Recall(scope="everybody")  # type: ignore[arg-type]
