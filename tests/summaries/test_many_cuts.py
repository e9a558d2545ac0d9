"""Facts survive cut after cut: the simulator summarises, the guards add what is missing, and so on from there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pytest
from benchmarks.planted import Said, trace
from benchmarks.survival import survives
from hypothesis import given, settings
from hypothesis import strategies as st

from sash.counting.estimator import Estimator
from sash.model.blocks import text_block
from sash.model.turns import Turn
from sash.simulator.replies import reply_to
from sash.summaries import GuardVerdict, ask, facts_of, judge
from sash.summaries.facts import normal
from sash.summaries.layout import parse

from .samples import size as rough
from .samples import turn, user


def cuts(
    turns: Sequence[Turn], number: int, limit: int, size: Callable[[str], int], *, must_keep: bool = True
) -> Iterator[GuardVerdict]:
    """The summaries that so many cuts make of all of these turns, one after the other."""
    previous = ""
    for at in range(number):
        leaving = turns[len(turns) * at // number : len(turns) * (at + 1) // number]
        asked = ask(previous, leaving, limit)
        reply = reply_to({"system": asked.system, "messages": [{"role": "user", "content": asked.content}]})
        verdict = judge(
            reply.blocks(), "end_turn", facts=facts_of(leaving, previous), turns=leaving, limit=limit,
            replaced=size(previous) + sum(size(turn.text) for turn in leaving), size=size, must_keep=must_keep,
        )  # fmt: skip
        assert verdict.ok, verdict.reason
        yield verdict
        previous = verdict.text


def as_turns(said: Sequence[Said]) -> list[Turn]:
    """A trace as recorded turns."""
    return [turn(seq, one.role, one.text) for seq, one in enumerate(said, 1)]


def lost(said: Sequence[Said], verdicts: Sequence[GuardVerdict]) -> tuple[int, list[str]]:
    """How many facts were planted, and which neither the last summary nor a turn that stays still tells."""
    stay = {seq for verdict in verdicts for seq in verdict.verbatim}
    text = "\n".join([verdicts[-1].text, *(said[seq - 1].text for seq in stay)])
    planted = [fact for one in said for fact in one.planted]
    return len(planted), [fact.sentence for fact in planted if not survives(fact, text)]


def test_facts_survive_several_cuts() -> None:
    """Of 24 facts and 12 instructions in 24,000 tokens all survive four cuts within 1,600 tokens; alone, few do."""
    said = trace(seed=3, characters=80_000, each=4)
    verdicts = list(cuts(as_turns(said), 4, 1_600, rough))
    assert all(verdict.tokens <= 1_600 for verdict in verdicts)
    number, gone = lost(said, verdicts)
    assert (number, gone) == (36, [])
    _, without = lost(said, list(cuts(as_turns(said), 4, 1_600, rough, must_keep=False)))
    assert len(without) > 12


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(3))
def test_ten_cuts_lose_hardly_anything(seed: int) -> None:
    """Of 60 facts in 100,000 tokens and more at least 95% survive ten cuts within 4,000 tokens; every instruction."""
    counter = Estimator.for_model("claude-sonnet-5-5")

    def size(text: str) -> int:
        return counter.count(counter.measure_message("user", [text_block(text)])).tokens

    said = trace(seed=seed)
    turns = as_turns(said)
    assert sum(size(one.text) for one in turns) > 100_000
    number, gone = lost(said, list(cuts(turns, 10, 4_000, size)))
    assert number == 72 and len(gone) <= 3
    assert not {fact.sentence for one in said for fact in one.planted if fact.kind == "instruction"} & set(gone)


STATEMENTS = st.lists(
    st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=80)
    | st.sampled_from(
        ["Always answer in French.", "My order number is QX-1138.", "Dr. Okafor comes on 14 March 2027.", "Never mind."]
    ),
    min_size=1,
    max_size=8,
)


@given(st.lists(STATEMENTS, min_size=2, max_size=6), st.integers(200, 1_500), st.booleans())
@settings(max_examples=60)
def test_any_talk_gives_summaries_within_their_limits(told: list[list[str]], limit: int, must_keep: bool) -> None:
    """Whatever was said: an accepted summary is shorter than what it replaces, within its limit, and reads the same."""
    turns = [user(seq, "\n".join([f"{'We talked on and on. ' * 60}", *lines])) for seq, lines in enumerate(told, 1)]
    previous = ""
    for at in range(0, len(turns), 2):
        leaving = turns[at : at + 2]
        facts = facts_of(leaving, previous)
        asked = ask(previous, leaving, limit)
        reply = reply_to({"system": asked.system, "messages": [{"role": "user", "content": asked.content}]})
        replaced = rough(previous) + sum(rough(turn.text) for turn in leaving)
        verdict = judge(
            reply.blocks(), "end_turn", facts=facts, turns=leaving, limit=limit, replaced=replaced, size=rough,
            must_keep=must_keep,
        )  # fmt: skip
        if not verdict.ok:
            assert verdict.text == "" and verdict.reason
            continue
        assert verdict.tokens <= limit and verdict.tokens < replaced
        assert str(parse(verdict.text)) == verdict.text
        if must_keep:
            standing = {normal(line.text) for line in parse(verdict.text).instructions}
            orders = [fact for fact in facts if fact.kind == "instruction"]
            assert all(normal(fact.text) in standing or fact.seq in verdict.verbatim for fact in orders)
        previous = verdict.text
