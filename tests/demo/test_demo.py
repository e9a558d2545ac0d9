"""The demo conversation keeps its promises: long, alternating, with facts that are said where they are said to be."""

from __future__ import annotations

from collections import Counter
from dataclasses import FrozenInstanceError
from itertools import pairwise

import pytest

from sash.demo import DemoTurn, PlantedFact, load
from sash.errors import InvalidOption
from sash.simulator.replies import reply_to

TURNS, FACTS = load()
USERS = [turn for turn in TURNS if turn.role == "user"]
REPLIES = [turn for turn in TURNS if turn.role == "assistant"]

each_fact = pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.id)


def ask(fact: PlantedFact, turns: list[DemoTurn]) -> str:
    """What the simulated model answers to the fact's question with these turns in view."""
    history = [{"role": turn.role, "content": turn.text} for turn in turns]
    return str(reply_to({"messages": [*history, {"role": "user", "content": fact.question}]}).content)


def test_it_is_long_and_roles_alternate() -> None:
    """At least 320 turns, user first, reply last, strictly in turn."""
    assert len(TURNS) >= 320
    assert [turn.role for turn in TURNS] == ["user", "assistant"] * (len(TURNS) // 2)


def test_nobody_says_the_same_thing_twice() -> None:
    """No turn is repeated, and no two turns begin with the same six words: nothing comes off a template."""
    assert max(Counter(turn.text for turn in TURNS).values()) == 1
    openings = Counter(tuple(turn.text.split()[:6]) for turn in TURNS)
    assert [opening for opening, count in openings.items() if count > 1] == []


def test_lengths_vary_within_what_people_write() -> None:
    """Users write 5 to 80 words, replies have 10 to 150; neither is of one length."""
    users, replies = ([len(turn.text.split()) for turn in turns] for turns in (USERS, REPLIES))
    assert min(users) >= 5
    assert max(users) <= 80
    assert min(replies) >= 10
    assert max(replies) <= 150
    assert len(set(users)) > 25
    assert len(set(replies)) > 25


def test_gaps_are_bursts_pauses_and_nights() -> None:
    """Only the first gap is zero; some are shorter than a cache's five minutes, some than its hour, some are nights."""
    gaps = [turn.gap_s or 0 for turn in USERS]
    assert gaps[0] == 0
    assert min(gaps[1:]) > 0
    assert sum(gap < 300 for gap in gaps) >= 40
    assert sum(300 <= gap < 3600 for gap in gaps) >= 20
    assert sum(gap >= 8 * 3600 for gap in gaps) >= 20
    assert max(gaps) > 2 * 24 * 3600


def answers(reply: str, fact: PlantedFact) -> bool:
    """Whether a reply holds the answer, in any spelling that counts as right; case does not matter."""
    return any(answer.casefold() in reply.casefold() for answer in (fact.answer, *fact.also))


@each_fact
def test_each_fact_is_said_in_its_turn(fact: PlantedFact) -> None:
    """The answer stands word for word in the turn that the fact names, and not yet in any turn before it."""
    assert fact.answer.casefold() in TURNS[fact.turn].text.casefold()
    if fact.id != "dogs":  # its answer is the name of a room, which was christened earlier
        assert not any(fact.answer.casefold() in turn.text.casefold() for turn in TURNS[: fact.turn])


@each_fact
def test_each_fact_can_be_quoted_by_who_sees_it_all(fact: PlantedFact) -> None:
    """With the whole conversation in view, the simulated model's extractive answer is right."""
    assert answers(ask(fact, list(TURNS)), fact)


@each_fact
def test_no_fact_can_be_told_without_its_exchange(fact: PlantedFact) -> None:
    """Without the exchange that holds it, the same model cannot answer: a right answer means it was kept."""
    left = [turn for index, turn in enumerate(TURNS) if index // 2 != fact.turn // 2]
    assert not answers(ask(fact, left), fact)


def test_facts_are_spread_from_start_to_end() -> None:
    """At least 24 facts with ids of their own, in order, at least ten in each quarter of the conversation."""
    assert len(FACTS) >= 24
    assert len({fact.id for fact in FACTS}) == len({fact.question for fact in FACTS}) == len(FACTS)
    assert all(before.turn <= after.turn for before, after in pairwise(FACTS))
    quarters = Counter(fact.turn * 4 // len(TURNS) for fact in FACTS)
    assert [quarters[quarter] >= 10 for quarter in range(4)] == [True] * 4


def test_every_kind_of_memory_is_asked_for() -> None:
    """Numbers, ids, names, dates, preferences, instructions, decisions and updates are all planted, more than once."""
    kinds = Counter(fact.kind for fact in FACTS)
    wanted = ("number", "id", "name", "date", "preference", "instruction", "decision", "update")
    assert all(kinds[kind] >= 3 for kind in wanted)


def test_updates_come_after_what_they_replace() -> None:
    """The first budget, opening and number of rooms are asked for too, and stand before the values that hold now."""
    turns = {fact.id: fact.turn for fact in FACTS}
    for thing in ("budget", "rooms", "opening"):
        assert turns[f"{thing}-first"] < turns[f"{thing}-now"]


def test_values_are_frozen_and_checked() -> None:
    """Turns cannot be changed, and a gap belongs to user turns alone."""
    with pytest.raises(FrozenInstanceError):
        TURNS[0].text = "x"  # type: ignore[misc]
    with pytest.raises(InvalidOption, match="gap"):
        DemoTurn(role="assistant", text="x", gap_s=3)
    assert load() is load()
