"""What is known of a user from their other conversations is told where a view begins, and nowhere else."""

from __future__ import annotations

from typing import Any

import pytest

from sash import Conversation, MemoryStore, SteppedWindow, check_request
from sash.simulator import Simulator

SAID = "I'm allergic to walnuts. I live in Haarlem. From now on, always answer in French."


def chat(store: Any, sim: Simulator, id: str, *, user: str | None = "ann", **settings: Any) -> Conversation:
    """A conversation."""
    return Conversation(store, id=id, user=user, client=sim.client(), **settings)


def told(sim: Simulator) -> list[str]:
    """The profiles that the newest request tells."""
    blocks = [block for message in sim.messages[-1].body["messages"] for block in message["content"]]
    texts = [str(block.get("text") or "") for block in blocks if isinstance(block, dict)]
    return [text for text in texts if text.startswith("<profile>")]


@pytest.fixture
def store() -> Any:
    """A store in which Ann has told things in one conversation."""
    made = MemoryStore()
    with chat(made, Simulator(), "one") as talk:
        talk.send(SAID)
    return made


def test_a_new_conversation_knows_its_user(store: Any, sim: Simulator) -> None:
    """The first request tells what was said elsewhere, quoted in front of the question; none repeats it."""
    with chat(store, sim, "two") as talk:
        assert "What is known of the user is told with the newest turn" in talk.plan("Suggest a dessert.").explain()
        talk.send("Suggest a dessert.")
        (profile,) = told(sim)
        assert all(said in profile for said in ("walnuts", "Haarlem", "answer in French"))
        assert profile.index("answer in French") < profile.index("walnuts") < profile.index("Haarlem")
        first = [dict(block) for block in sim.messages[-1].body["messages"][0]["content"]]
        talk.send("And a drink?")
        again = sim.messages[-1].body["messages"][0]["content"]
        assert [block["text"] for block in again] == [block["text"] for block in first] and len(told(sim)) == 1
        assert talk.request(1).intact and talk.request(2).intact
    assert all(check_request(attempt.body) == [] for attempt in sim.messages)


@pytest.mark.parametrize("other", [{"user": "bob"}, {"user": None}, {"namespace": "acme"}, {"memory": "none"}])
def test_nobody_else_is_told(store: Any, sim: Simulator, other: dict[str, Any]) -> None:
    """Neither another user, nor a conversation of nobody, nor another tenant, nor where nothing is to be remembered."""
    with chat(store, sim, "two", **other) as talk:
        talk.send("Suggest a dessert.")
    assert told(sim) == []


def test_it_enters_a_view_only_where_that_begins(store: Any, sim: Simulator) -> None:
    """What is said elsewhere meanwhile waits for the next cut: between cuts the view only grows at its end."""
    with chat(store, sim, "two", strategy=SteppedWindow(keep=300, high=900), budget=4_000) as talk:
        talk.send("Hello. " + "Some words about the weather. " * 10)
        with chat(store, Simulator(), "three") as other:
            other.send("My dog is called Dapple.")
        begun = [told(sim)[0]]
        while len(sim.messages) < 12:
            talk.send("And more. " + "Some words about the weather. " * 10)
            begun += [text for text in told(sim) if text not in begun]
        epochs = {talk.request(number).request.epoch for number in range(1, 13)}
    assert "Dapple" not in begun[0] and "Dapple" in begun[1]
    assert len(epochs) > 1 and all("Haarlem" in text for text in begun)


def test_what_stands_in_the_view_is_not_told_again(sim: Simulator, store: Any) -> None:
    """A conversation is not told what was said in it and is still sent."""
    with chat(store, sim, "one") as talk:
        talk.send("What do you know?")
    assert told(sim) == []


def test_redaction_reaches_the_quote_elsewhere(store: Any, sim: Simulator) -> None:
    """The words go from the other conversation's requests too, and its next request begins a view without them."""
    with chat(store, sim, "two") as talk, chat(store, Simulator(), "one") as first:
        talk.send("Suggest a dessert.")
        first.redact(first.history()[0])
        assert "walnuts" not in str(talk.request(1).body)
        talk.send("And a drink?")
    assert told(sim) == []


def test_it_keeps_within_its_share(store: Any, sim: Simulator) -> None:
    """Instructions go first; what finds no room is left out, and the budget holds."""
    for number in range(60):
        store.profile("ann").set(f"Fact number {number} about the many things in Ann's long life. " * 4)
    with chat(store, sim, "two", budget=4_000) as talk:
        plan = talk.plan("Suggest a dessert.")
        talk.send("Suggest a dessert.")
    (profile,) = told(sim)
    assert "answer in French" in profile and "Fact number" not in profile.replace("Fact number 59", "")
    assert plan.prompt.upper <= 4_000


def test_a_plan_writes_nothing(store: Any, sim: Simulator) -> None:
    """What a plan reads of the user is kept with the first request alone, which tells the same."""
    with chat(store, sim, "two") as talk:
        with store.database.reading() as db:
            before = [db.all(f"SELECT * FROM {table}") for table in ("profile_entries", "profile_reading")]
        body = talk.plan("Suggest a dessert.").body
        with store.database.reading() as db:
            assert [db.all(f"SELECT * FROM {table}") for table in ("profile_entries", "profile_reading")] == before
        talk.send("Suggest a dessert.")
    assert sim.messages[-1].body["messages"] == body["messages"]
