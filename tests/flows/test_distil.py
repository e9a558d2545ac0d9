"""A cheap model reads what a user said, for their profile: trusted with nothing, paid for once, never in the way."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from sash import AsyncConversation, Conversation, MemoryStore, Summarised, check_request
from sash.limits import Ceiling
from sash.profile.entries import Entry
from sash.simulator import Overloaded, Refusal, Simulator, Stopped

Talk = Callable[..., Conversation]
KNEES = "My knees ache on stairs since the accident in 2019."
FILLER = "The weather is nice and nobody says much about it. " * 140
CHEAP = "claude-haiku-5-5"


@pytest.fixture
def store() -> Any:
    """A store."""
    return MemoryStore()


@pytest.fixture
def talk(store: Any, sim: Simulator) -> Talk:
    """Opens a conversation of Ann's, with everything remembered unless it says otherwise."""

    def opened(id: str = "one", **settings: Any) -> Conversation:
        given = {"user": "ann", "memory": "full", "clock": sim.clock.now, **settings}
        return Conversation(store, id=id, client=sim.client(max_retries=0), **given)

    return opened


def say(chat: Conversation, *texts: str) -> None:
    """Say texts, and wait for what is done beside."""
    for text in texts:
        chat.send(text)
        chat.wait_for_background()


def made(store: Any) -> list[Entry]:
    """What a model found, in force or not."""
    return [entry for entry in store.profile("ann").history() if entry.by == "model"]


def asked(sim: Simulator) -> list[Any]:
    """The requests to the cheap model."""
    return [attempt for attempt in sim.messages if attempt.body["model"] == CHEAP]


def answer(*entries: dict[str, Any]) -> str:
    """What a model might answer."""
    plain = {"turn": 1, "quote": KNEES, "kind": "fact", "topic": "knees", "text": KNEES, "replaces": []}
    return json.dumps({"entries": [{**plain, **entry} for entry in entries]})


def scripted(sim: Simulator, *answers: Any) -> None:
    """What the cheap model answers, one after the other; all else is answered by the simulator."""
    left = list(answers)

    def reply(request: Any) -> Any:
        return left.pop(0) if request["model"] == CHEAP and left else None

    sim.script(reply)


def test_what_the_rules_miss_is_found(talk: Talk, store: Any, sim: Simulator) -> None:
    """With its source, beside what the rules found; it is told where the next view begins, and the request is legal."""
    chat = talk()
    say(chat, f"{KNEES} I live in Haarlem. {FILLER}")
    (entry,) = made(store)
    assert (entry.text, entry.sources) == (KNEES, (chat.history()[0].id,))
    (attempt,) = asked(sim)
    assert check_request(attempt.body) == [] and attempt.status == 200
    later = talk("two")
    assert "2 entries, 1 found by a model, 1 found by rules" in later.plan("Hello?").explain()
    say(later, "Hello?")
    told = str(sim.messages[-1].body["messages"][0])
    assert f"(in short) {KNEES}" in told and "] I live in Haarlem." in told


@pytest.mark.parametrize(
    "settings",
    [
        {"memory": "balanced"},
        {"memory": "none"},
        {"user": None},
        {"summarise": False},
        {"summarise": Summarised(ahead=False)},
    ],
)
def test_nobody_else_pays_for_it(talk: Talk, sim: Simulator, settings: dict[str, Any]) -> None:
    """Only where a second model is wanted, in the background, and the conversation is somebody's."""
    say(talk(**settings), f"{KNEES} {FILLER}")
    assert asked(sim) == []


def test_it_waits_until_there_is_enough(talk: Talk, store: Any, sim: Simulator) -> None:
    """Small talk asks no model; what short conversations say adds up, and each turn is read once."""
    for number in range(4):
        say(talk(f"short {number}"), f"{KNEES} " + FILLER[:2_500])
    assert len(asked(sim)) == 1 and [entry.text for entry in made(store)] == [KNEES]
    say(talk("last"), "Hello?", "And?")
    assert len(asked(sim)) == 1


def test_what_it_costs_is_told(talk: Talk, store: Any) -> None:
    """In usage, by model, conversation and user; after the conversation is deleted, too."""
    chat = talk()
    say(chat, f"{KNEES} {FILLER}")
    paid = {row.group[0]: row.dollars for row in store.usage(by=("model",), user="ann")}
    assert paid[CHEAP] > 0 and sum(paid.values()) == pytest.approx(chat.usage().dollars)
    chat.close()
    store.delete("one")
    assert {row.group[0]: row.dollars for row in store.usage(by=("model",))} == pytest.approx(paid)


def test_a_ceiling_holds_for_it(talk: Talk, store: Any, sim: Simulator) -> None:
    """Over a ceiling no model is asked, and nothing is lost: it is tried again later."""
    chat = talk(ceilings=[Ceiling(tokens=4_000, per="user", period="day")], max_tokens=500)
    say(chat, f"{KNEES} I live in Haarlem. {FILLER}")
    assert asked(sim) == [] and [entry.text for entry in chat.profile.entries()] == ["I live in Haarlem."]
    sim.clock.advance(90_000)
    say(chat, "Hello?")
    chat.close()
    say(talk("two"), "Hello?")
    assert [entry.text for entry in made(store)] == [KNEES]


WRONG: Sequence[tuple[str, dict[str, Any]]] = [
    ("quote", {"quote": "My elbows ache."}),
    ("quote", {"quote": ""}),
    ("quote", {"quote": "I live in Paris"}),
    ("turn", {"turn": 7}),
    ("turn", {"turn": "1"}),
    ("form", {"kind": "secret"}),
    ("form", {"text": None}),
    ("length", {"text": ""}),
    ("length", {"text": "My knees ache. " * 40}),
    ("invented", {"text": "Knees ache since the accident in 2017."}),
    ("invented", {"text": "Knees ache, says Dr. Okafor of Leiden."}),
]


@pytest.mark.parametrize(("reason", "wrong"), WRONG)
def test_what_stands_on_nothing_is_refused(
    talk: Talk, store: Any, sim: Simulator, reason: str, wrong: dict[str, Any]
) -> None:
    """An entry without the user's own words in the turn it names, or with values that are not there, is not kept."""
    scripted(sim, answer(wrong, {"text": "Has aching knees."}))
    say(talk(), f"{KNEES} Translate: 'I live in Paris'. {FILLER}")
    assert [entry.text for entry in made(store)] == ["Has aching knees."]
    with store.database.reading() as db:
        assert json.loads(db.one("SELECT refused FROM profile_distillings")[0]) == {reason: 1}


@pytest.mark.parametrize(
    "trouble", [Overloaded(), Refusal(), Stopped(tokens=3), "no JSON", '{"entries": 3}', "[]", '{"entries": [3, null]}']
)
def test_whatever_fails_changes_nothing(talk: Talk, store: Any, sim: Simulator, trouble: Any) -> None:
    """What the rules found stays, the next question is answered, and it is tried again later, not at once."""
    scripted(sim, trouble) if isinstance(trouble, str) else sim.fail_next(
        trouble, when=lambda body: body["model"] == CHEAP
    )
    chat = talk()
    say(chat, f"{KNEES} I live in Haarlem. {FILLER}")
    assert made(store) == [] and [entry.text for entry in chat.profile.entries()] == ["I live in Haarlem."]
    before = len(asked(sim))
    say(chat, f"Nothing new. {FILLER}")
    sim.clock.advance(40)
    say(chat, f"Nothing new. {FILLER}")
    read = "null" in str(trouble)  # an answer, though none of its entries is one
    assert len(asked(sim)) == before + (2 if read else 1)
    assert [entry.text for entry in made(store)] == ([] if read else [KNEES])


def test_turns_that_fail_too_often_are_left_to_the_rules(talk: Talk, store: Any, sim: Simulator) -> None:
    """Three answers that are none are paid for, no fourth."""
    chat = talk()
    scripted(sim, *["no JSON"] * 3)
    for _ in range(6):
        say(chat, f"{KNEES} {FILLER}")
        sim.clock.advance(4_000)
    with store.database.reading() as db:
        turns = [row[0] for row in db.all("SELECT turns FROM profile_distillings")]
    assert turns[:3] == [1, 2, 3] and sum(turns[3:]) == 3


def test_it_may_say_what_is_over(talk: Talk, sim: Simulator) -> None:
    """An entry that it names as replaced ends, and holds again once the newer words are redacted."""
    coffee = "These days it is tea for me, coffee is done with."
    scripted(
        sim, answer({}), answer({"turn": 1, "quote": coffee, "text": "Drinks tea.", "topic": "t", "replaces": [1, 9]})
    )
    chat = talk()
    say(chat, f"{KNEES} {FILLER}", f"{coffee} {FILLER}")
    assert [(entry.text, entry.ended) for entry in chat.profile.history()] == [
        ("Drinks tea.", ""),
        (KNEES, "superseded"),
    ]
    chat.redact(chat.history()[2])
    assert [entry.text for entry in chat.profile.entries()] == [KNEES]


def test_what_was_taken_out_does_not_come_back(talk: Talk, sim: Simulator) -> None:
    """Neither what somebody removed before the model read it, nor what was redacted while it read."""
    chat = talk()
    chat.send("I live in Haarlem.")
    chat.profile.remove(chat.profile.entries()[0])
    scripted(sim, answer({"quote": "I live in Haarlem.", "text": "Lives in Haarlem.", "topic": "home"}))
    say(chat, FILLER)
    assert chat.profile.entries() == []

    def reply(request: Any) -> Any:
        if request["model"] != CHEAP:
            return None
        other.redact(other.history()[0])
        return answer()

    sim.script(reply)
    other = talk("two")
    say(other, f"{KNEES} {FILLER}")
    assert chat.profile.entries() == [] and "knees" not in str(chat.profile.history())


def test_async_does_the_same(store: Any, sim: Simulator) -> None:
    """In a task beside the conversation."""

    async def asked_async() -> None:
        client = sim.async_client()
        async with AsyncConversation(store, id="a", user="ann", memory="full", client=client) as chat:
            await chat.send(f"{KNEES} {FILLER}")
            await chat.wait_for_background()

    asyncio.run(asked_async())
    assert [entry.text for entry in made(store)] == [KNEES]


def test_what_is_read_is_bounded(talk: Talk, store: Any, sim: Simulator) -> None:
    """A long backlog is read in pieces, each at a price that is known before."""
    chat = talk(budget=200_000)
    for number in range(40):
        said = {"role": "user", "content": f"My back hurts from step {number} on. {FILLER}"}
        chat.extend([said, {"role": "assistant", "content": "Well."}])
    say(chat, "Hello?", *[FILLER] * 6)
    sizes = [len(str(attempt.body["messages"])) for attempt in asked(sim)]
    assert len(sizes) == 7 and max(sizes) < 45_000 and len(made(store)) == 40


def test_entries_set_by_hand_are_told(talk: Talk, store: Any) -> None:
    """A plan says how many there are, though no turn is their source."""
    store.profile("ann").set("Left-handed.")
    assert "told with the newest turn: 1 entry, set by hand." in talk().plan("Hello?").explain()
