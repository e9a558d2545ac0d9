"""Questions as they are meant: by time, by place, by speaker, misspelt, as a follow-up, updated since; and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import pytest

from sash import Conversation, MemoryStore, Recall
from sash.errors import InvalidOption
from sash.model.blocks import dumps, text_block
from sash.model.turns import Draft
from sash.recall import Found
from sash.simulator import Clock, Simulator

DAY = 86_400.0
FRIDAY = 1_773_997_200.0  # 2026-03-20 09:00 UTC
WORKS = (
    "gazebo", "catalogue", "pergola", "mosaic", "quilt", "puppet", "stove", "lantern", "rowboat", "tapestry", "clock",
    "easel", "chimney", "wagon",
)  # fmt: skip


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """What is closed at the end."""
    with ExitStack() as open_ones:
        yield open_ones


def told(stack: ExitStack, said: Sequence[tuple[float, str]], now: float, **options: Any) -> Conversation:
    """A conversation in which this was told at these times, each answered the same; it is asked at `now`."""
    simulator = Simulator(clock=Clock(start=now))
    chat = stack.enter_context(
        Conversation(MemoryStore(), id="a", client=simulator.client(), clock=simulator.clock.now, **options)
    )
    for at, text in said:
        chat.extend(Draft(role=role, content=dumps([text_block(words)]), at=at) for role, words in _pair(text))
    return chat


def _pair(text: str) -> Sequence[tuple[Any, str]]:
    asked, _, answered = text.partition(" -> ")
    return (("user", asked), ("assistant", answered or "I see, thank you."))


def diary(stack: ExitStack, **options: Any) -> Conversation:
    """Two weeks: each day one thing was worked on, and ten others were spoken of."""
    said = [
        (FRIDAY + day * DAY + minute * 60, text)
        for day, work in enumerate(WORKS)
        for minute, text in enumerate(
            [
                f"Today I worked on the {work}.",
                *(f"Bus {minute}{day} was late by {minute} minutes." for minute in range(10)),
            ]
        )
    ]
    return told(stack, said, FRIDAY + len(WORKS) * DAY, **options)


def texts(found: Sequence[Found]) -> str:
    """All that was found."""
    return "\n".join(one.text for one in found)


@pytest.mark.parametrize(
    ("question", "work"),
    [
        ("What did I work on yesterday?", WORKS[-1]),
        ("What did we talk about last Friday?", WORKS[7]),
        ("What did I do three days ago?", WORKS[-3]),
        ("What did I do on 27 March?", WORKS[7]),
        ("Was habe ich vorgestern gemacht?", WORKS[-2]),
        ("Qu'ai-je fait il y a trois jours ?", WORKS[-3]),
        ("¿Qué hice anteayer?", WORKS[-2]),
        ("我昨天做了什么？", WORKS[-1]),
        ("三日前に何をしましたか？", WORKS[-3]),
    ],
)
def test_what_was_said_at_a_time_is_found_by_the_time(stack: ExitStack, question: str, work: str) -> None:
    """A day that a question names, in six languages, is where is looked first; the reason says so."""
    found = diary(stack).recall(question, tokens=400)
    assert work in texts(found)
    assert next(one.why for one in found if work in one.text).startswith("time: ")


def test_a_time_is_a_preference_not_a_filter(stack: ExitStack) -> None:
    """What was asked for in other words is found on another day, too."""
    chat = diary(stack)
    assert "gazebo" in texts(chat.recall("What did I say yesterday about the gazebo?", tokens=400))


def test_yesterday_is_the_users_yesterday(stack: ExitStack) -> None:
    """In the user's zone, where the day has begun already, it is another day than in UTC."""
    evening = FRIDAY + 14 * 3_600  # 23:00 UTC, Saturday in Tokyo
    chat = told(stack, [(FRIDAY, "I fed the heron."), (FRIDAY - DAY, "I fed the otter.")], evening)
    assert chat.recall("What did I feed yesterday?")[0].text == "I fed the otter."
    assert chat.recall("What did I feed yesterday?", zone="Asia/Tokyo")[0].text == "I fed the heron."


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../etc/passwd", 7, None])
def test_an_unknown_zone_is_refused(zone: Any) -> None:
    """Before anything is looked for; the error names the value."""
    with pytest.raises(InvalidOption, match="zone=") as caught:
        Recall(zone=zone)
    assert caught.value.value == zone


@pytest.mark.parametrize(
    "question", ["What was the first thing I ever told you?", "How did this conversation begin?", "我最初说了什么？"]
)
def test_the_first_thing_is_the_beginning_of_the_conversation(stack: ExitStack, question: str) -> None:
    """Though no word of it is in the question."""
    found = diary(stack).recall(question, tokens=300)
    assert found[0].turn.seq <= 4 and "gazebo" in texts(found)
    assert next(one.why for one in found if "gazebo" in one.text).startswith("the first thing")


def test_the_first_thing_about_something_is_its_first_mention(stack: ExitStack) -> None:
    """With a subject of its own it is the first turn about that, not the first of all."""
    chat = told(stack, [(FRIDAY + n * 60, f"The heron has eaten {n} fish.") for n in range(30, 60)], FRIDAY + DAY)
    assert "30 fish" in texts(chat.recall("What was the first thing I said about the heron?", tokens=120))


def test_did_you_recommend_asks_for_what_the_assistant_said(stack: ExitStack) -> None:
    """Of two turns with the same words the one whose speaker is meant comes first."""
    said = [(FRIDAY, "The novel about herons is long. -> The novel about herons is good."), (FRIDAY + 60, "Well.")]
    chat = told(stack, said, FRIDAY + DAY, recall=Recall(neighbours=0))
    assert chat.recall("What did you recommend about the novel?", neighbours=0)[0].turn.role == "assistant"
    assert chat.recall("What is my novel about?", neighbours=0)[0].turn.role == "user"


@pytest.mark.parametrize(
    ("told_once", "question", "like"),
    [
        ("The combination of the suitcase is 7731.", "What was the combinaton of the suticase?", "suitcase (suticase)"),
        ("Die Gartenlaube ist blau.", "Welche Farbe hat die Laube?", "gartenlaube (laube)"),
    ],
)
def test_misspelt_words_and_parts_of_compounds_are_found(
    stack: ExitStack, told_once: str, question: str, like: str
) -> None:
    """A word that nobody used is looked for as the words it is like; the reason names both."""
    said = [(FRIDAY, told_once), *((FRIDAY + n * 60, f"Bus {n} was late.") for n in range(1, 40))]
    found = told(stack, said, FRIDAY + DAY).recall(question, tokens=100)
    assert found[0].text == told_once and like in found[0].why


def test_the_newest_statement_stands_beside_the_old_one(stack: ExitStack) -> None:
    """A later turn that takes up a found one's rare words comes back with it, without a word of the question's own."""
    said = [
        (FRIDAY, "I work at Brandt as a welder."),
        *((FRIDAY + n * 60, f"The work on house {n} goes on, and it is hard work.") for n in range(1, 60)),
        (FRIDAY + DAY, "I quit Brandt; I started at Koller Marine."),
        *((FRIDAY + DAY + n * 60, f"The work on boat {n} goes on, and it is hard work.") for n in range(1, 60)),
    ]
    found = told(stack, said, FRIDAY + 3 * DAY).recall("Where do I work as a welder?", tokens=200)
    new = next(one for one in found if "Koller" in one.text)
    assert new.why.startswith("takes up turn 1: ") and "brandt" in new.why


def test_a_follow_up_borrows_the_words_of_what_was_just_said(stack: ExitStack) -> None:
    """A question that points at the last exchange is looked for with its words; its own alone would find nothing."""
    simulator = Simulator()
    chat = stack.enter_context(
        Conversation(
            MemoryStore(), id="a", client=simulator.client(), clock=simulator.clock.now, budget=3_000, keep=300,
            recall=Recall(tokens=400),
        )
    )  # fmt: skip
    chat.send("The sailing boat is called Kittiwake and cost 4711 pounds.")
    for n in range(60):
        chat.send(f"Please note: {n + 3} loaves of rye for table {n}. " + "That is all for now. " * 5)
        simulator.clock.advance(30)
    chat.send("Let us talk about the Kittiwake for a moment.")
    plan = chat.plan("How much was she?")
    assert plan.attachment and 1 in [source.seq for source in plan.attachment.sources]
    why = next(source.why for source in plan.attachment.sources if source.seq == 1)
    assert "kittiwake" in why
