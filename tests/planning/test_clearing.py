"""Old tool results that leave where that pays: which ones, when, and what stays as it is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sash.model.cards import card
from sash.model.turns import Exchange
from sash.planning.situation import Clears, ResultsTurn, Situation, Size, Warmth, Worth
from sash.planning.strategies import Economic

KEEP = 8_000
FIXED = 2_000
SONNET, BOUND = card("claude-sonnet-5"), card("claude-sonnet-5-5")

sizes = st.lists(st.integers(100, 6_000), min_size=3, max_size=40)
chances = st.lists(st.floats(0.0, 1.0), min_size=40, max_size=40)


def running(
    saved: list[int],
    clears: Clears = "any",
    again: Any = 0.05,
    *,
    inputs: int = 0,
    warm: bool = True,
    **changes: Any,
) -> Situation:
    """A tool run whose results save so many tokens each, `inputs` the input of its call, in 100 tokens around."""
    behind, turns = 0, []
    for at in range(len(saved) - 1, -1, -1):
        behind += saved[at] + inputs + 100
        chance = again if isinstance(again, float) else again[at]
        turns.append(
            ResultsTurn(
                seq=2 * at + 3, exchange=0, results=1, saves=Size(tokens=saved[at], upper=saved[at]), call=2 * at + 2,
                call_saves=Size(tokens=inputs, upper=inputs), behind=behind, after=behind - saved[at] - inputs - 100,
                worth=Worth(again=chance, tools=("read" if at % 2 else "write",), why="old"),
            )
        )  # fmt: skip
    prompt, last = FIXED + behind, 2 * len(saved) + 1
    alive = Warmth(tail_until=1_200.0, tail_tokens=max(1, prompt - saved[-1]), preamble_until=1_200.0)
    fields = {
        "exchanges": (Exchange(first=1, last=last, tokens=behind, upper=behind, requests=len(saved), open=True),),
        "first_exchange": 0,
        "fixed": Size(tokens=FIXED, upper=FIXED),
        "stay": Size(tokens=prompt, upper=prompt),
        "results": tuple(reversed(turns)),
        "clears": clears,
        "budget": 400_000,
        "keep": KEEP,
        "max_tokens": 1_000,
        "card": SONNET if clears == "any" else BOUND,
        "now": 1_000.0,
        "warmth": alive if warm else Warmth(),
        "learned": {"sent": prompt - saved[-1], "tokens": behind / len(saved), "weight": 20.0},
        **changes,
    }  # fmt: skip
    return Situation(**fields)


@given(sizes, chances, st.sampled_from(["any", "oldest"]), st.booleans())
def test_what_always_stays_is_never_cleared(saved: list[int], again: list[float], clears: Clears, warm: bool) -> None:
    """Nothing of the newest `keep` tokens leaves; the start stays where it is when something is cleared."""
    held = running(saved, clears, again, warm=warm, inputs=200)
    decision = Economic(caution=1.0).decide(held)
    turns = {seq: turn for turn in held.results for seq in (turn.seq, turn.call)}
    assert all(turns[seq].after >= KEEP for seq in decision.cleared)
    assert decision.first_exchange == 0


@given(sizes, chances, st.sampled_from(["any", "oldest"]), st.sampled_from([0, 30, 900]), st.booleans())
def test_clearing_saves_what_it_says(
    saved: list[int], again: list[float], clears: Clears, inputs: int, warm: bool
) -> None:
    """Dollars above zero, tokens as their turns have them; to read all again costs at least what is expected."""
    decision = Economic(caution=1.0).decide(running(saved, clears, again, warm=warm, inputs=inputs))
    if decision.clearing is None:
        assert not decision.cleared
        return
    turns = decision.clearing.turns
    leaves = inputs if clears == "oldest" or inputs > 100 else 0
    assert decision.cleared == {turn.seq for turn in turns} | {turn.call for turn in turns if leaves}
    assert decision.clearing.tokens == sum(turn.saves.tokens + leaves for turn in turns)
    assert decision.clearing.saves > 0.0
    assert 0.0 <= decision.clearing.again <= decision.clearing.once
    assert decision.rule == ("pays" if warm else "free")


@given(sizes, chances, st.booleans())
def test_the_api_clears_the_oldest_without_a_gap(saved: list[int], again: list[float], warm: bool) -> None:
    """Where thinking is bound, what leaves are the first so many of what may leave."""
    held = running(saved, "oldest", again, warm=warm)
    decision = Economic(caution=1.0).decide(held)
    order = [turn.seq in decision.cleared for turn in held.results]
    assert order == sorted(order, reverse=True)


def test_a_long_run_is_cleared_while_it_goes_on() -> None:
    """Far above keep, with old results that nobody needs, reading them on and on costs more; just above it does not."""
    assert Economic().decide(running([2_000] * 40)).cleared
    assert not Economic().decide(running([2_000] * 5)).cleared


def test_a_cold_cache_is_the_time_to_clear() -> None:
    """What must be written anew is written without what is old."""
    saved = [2_000] * 12
    assert not Economic().decide(running(saved)).cleared
    assert Economic().decide(running(saved, warm=False)).rule == "free"


def test_what_is_needed_stays() -> None:
    """Results that are surely needed again are dearer to read again than to keep; those beside them leave."""
    again = [1.0 if at % 2 else 0.0 for at in range(120)]
    held = running([2_000] * 120, again=again)
    decision = Economic(caution=1.0).decide(held)
    chances = {turn.seq: turn.worth.again for turn in held.results}
    assert decision.cleared
    assert {chances[seq] for seq in decision.cleared} == {0.0}


def test_excluded_tools_keep_their_results() -> None:
    """And cheap ones give theirs sooner."""
    held = running([2_000] * 120)
    decision = Economic(exclude=("write",)).decide(held)
    tools = {turn.seq: turn.worth.tools for turn in held.results}
    assert decision.cleared
    assert {tools[seq] for seq in decision.cleared} == {("read",)}
    unsure = running([2_000] * 120, again=0.3, warm=False)
    assert not Economic(caution=4.0).decide(unsure).cleared
    assert {tools[seq] for seq in Economic(caution=4.0, cheap=("read",)).decide(unsure).cleared} == {("read",)}


def test_what_only_beta_features_could_clear_is_said_once() -> None:
    """Without them nothing leaves; the first decision that would have cleared says so, no later one does."""
    held = replace(running([2_000] * 40, "oldest"), clears="", lacks_beta=True)
    first = Economic().decide(held)
    assert not first.cleared
    assert first.clearing is None
    assert "beta" in first.note
    assert BOUND.id in first.note
    assert not Economic().decide(replace(held, learned=first.learned or {})).note
    assert not Economic(clear_results=False).decide(held).note
    few = Economic().decide(replace(running([2_000] * 5, "oldest"), clears="", lacks_beta=True))
    assert not few.note
    assert Economic().decide(replace(held, learned=few.learned or {})).note


@given(sizes, chances, st.sampled_from(["any", "oldest"]))
def test_the_limit_lets_results_leave_with_room_to_spare(saved: list[int], again: list[float], clears: Clears) -> None:
    """Where the view does not fit and enough may leave, the run goes on within the limit, the view where it was."""
    held = running(saved, clears, again)
    assert held.stay is not None
    limit = held.stay.upper - 1
    tight = replace(held, budget=limit)
    free = sum(turn.saves.tokens for turn in held.results if turn.after >= KEEP)
    decision = Economic().decide(tight)
    if free >= 0.3 * limit:
        assert decision.rule == "must"
        assert decision.clearing is not None
        assert held.stay.upper - decision.clearing.tokens <= limit


def test_it_can_be_turned_off() -> None:
    """Without it nothing leaves, and with early=False only what the limit forces out."""
    held = running([2_000] * 40)
    assert not Economic(clear_results=False).decide(held).cleared
    assert not Economic(early=False).decide(held).cleared
    assert Economic(early=False).decide(replace(held, budget=60_000)).cleared
