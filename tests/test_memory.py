"""`memory=`: what each word stands for, what goes before it, and that what was told long ago is still known."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest

from sash import Conversation, Economic, MemoryStore, Recall, SlidingWindow, Summarised
from sash.conversation.memory import MODES
from sash.errors import InvalidOption
from sash.simulator import Simulator
from sash.types import MemoryMode

FACT = "My locker code is 7731 and the locker stands behind the blue door."
ASKED = "Which code has my locker?"
FILLER = "I heard something quite different about the weather in the mountains today, number {}. " * 6
UNTIL_FORCED = Summarised(inner=Economic(early=False))


@pytest.fixture
def sim() -> Simulator:
    """A simulator with a clock of its own."""
    return Simulator()


def talk(sim: Simulator, fillers: int = 30, gap: float = 20, **settings: Any) -> Conversation:
    """Tell a fact, then of other things."""
    chat = Conversation(client=sim.client(), clock=sim.clock.now, max_tokens=300, **settings)
    chat.send(FACT)
    for number in range(fillers):
        sim.clock.advance(gap)
        chat.send(FILLER.replace("{}", str(number)))
        chat.wait_for_background()
    return chat


TABLE: dict[str, tuple[int, int, Any, int | None]] = {
    "none": (32_000, 8_000, Economic(), None),
    "lean": (32_000, 2_000, Economic(), 1_600),
    "balanced": (32_000, 8_000, Economic(), 2_000),
    "full": (32_000, 8_000, UNTIL_FORCED, 2_000),
    "all": (100_000, 50_000, UNTIL_FORCED, 6_250),
}
"""Budget, what always stays, window, and what is recalled for a question."""


@pytest.mark.parametrize("memory", sorted(TABLE))
def test_a_word_stands_for_window_and_shares(memory: MemoryMode) -> None:
    """Each word sets budget, keep, strategy and recall; no word is left out."""
    with Conversation(client="simulator", memory=memory) as chat:
        recalled = chat.recalls.tokens if chat.recalls else None
        assert (chat.budget, chat.keep, chat.strategy, recalled) == TABLE[memory]
        assert f"memory='{memory}'" in repr(chat) and chat.memory == memory
    assert set(TABLE) == set(get_args(MemoryMode)) == set(MODES)


def test_balanced_is_the_default() -> None:
    """Whoever says nothing gets what `memory="balanced"` gives."""
    with Conversation(client="simulator") as chat, Conversation(client="simulator", memory="balanced") as same:
        settings = [(one.memory, one.budget, one.keep, one.strategy, one.recalls) for one in (chat, same)]
        assert settings[0] == settings[1] and chat.recalls is not None


def test_what_is_said_explicitly_goes_before_the_word() -> None:
    """Window, recall, summaries, budget and keep of a conversation override its memory, each alone."""

    def told(**settings: Any) -> tuple[Any, ...]:
        with Conversation(client="simulator", **settings) as chat:
            return chat.strategy, chat.recalls, chat.budget, chat.keep

    usual = Recall(tokens=2_000)
    assert told(memory="full", strategy=SlidingWindow()) == (SlidingWindow(), usual, 32_000, 8_000)
    assert told(memory="full", summarise=False) == (Economic(early=False), usual, 32_000, 8_000)
    assert told(memory="full", summarise="claude-sonnet-5-5")[0] == Summarised(
        inner=Economic(early=False), by="claude-sonnet-5-5"
    )
    assert told(summarise=True)[0] == Summarised()
    assert told(recall=False) == (Economic(), None, 32_000, 8_000)
    assert told(recall=Recall(tokens=7))[1] == Recall(tokens=7)
    assert told(memory="none", recall=True)[1] == Recall()
    assert told(memory="lean", budget=6_400) == (Economic(), Recall(tokens=1_000), 6_400, 400)
    assert told(budget=8_000)[1] == usual and told(budget=2_000)[1] == Recall(tokens=500)
    assert told(memory="lean", keep=5)[3] == 5


@pytest.mark.parametrize("wrong", ["much", "", None, True, 3, ["full"]])
def test_an_unknown_word_is_refused_before_there_is_a_file(wrong: Any, path: Path) -> None:
    """The error names the words there are, and nothing is written."""
    with pytest.raises(InvalidOption, match="none, lean, balanced, full, all"):
        Conversation(path, client="simulator", memory=wrong)
    assert not path.exists()


def test_keep_above_the_budget_of_a_word_is_refused() -> None:
    """A budget that the word gives bounds `keep` as one that is given."""
    with pytest.raises(InvalidOption, match="keep=40000 cannot be more than budget=32000"):
        Conversation(client="simulator", keep=40_000)


@pytest.mark.parametrize("memory", ["lean", "balanced", "full", "all"])
def test_what_was_told_long_ago_is_still_known(sim: Simulator, memory: MemoryMode) -> None:
    """A question gets what the window lost: it is text in the request, and in the reply."""
    with talk(sim, memory=memory, budget=2_400) as chat:
        reply = chat.send(ASKED)
        assert "7731" in reply.text and "7731" in str(reply.plan.body["messages"])
        assert reply.usage.prompt <= 2_400


def test_without_memory_it_is_forgotten(sim: Simulator) -> None:
    """`memory="none"` is the window alone."""
    with talk(sim, memory="none", budget=2_400) as chat:
        assert "7731" not in str(chat.send(ASKED).plan.body["messages"])


@pytest.mark.parametrize("memory", ["full", "all"])
@pytest.mark.parametrize("gap", [20, 7_200])
def test_full_and_all_leave_nothing_out_that_fits(sim: Simulator, memory: MemoryMode, gap: float) -> None:
    """Warm or cold, no turn leaves while the whole past fits the budget; what leaves then leaves for room."""
    with talk(sim, memory=memory, budget=9_000, gap=gap) as chat:
        assert all(turn in {one.seq for one in chat.send("Hello.").plan.turns} for turn in (1, 2, 30))
        assert {chat.request(number).request.why["rule"] for number in range(1, 33)} <= {"first", "stay"}
        chat.budget = 3_000
        assert chat.send("Hello again.").plan.decision.rule == "must"


def test_a_cut_for_price_says_what_it_saved_and_left_out(sim: Simulator) -> None:
    """Turns that would have fitted are left out with their tokens and dollars, once; the store sums it up."""
    with talk(sim, fillers=26, gap=7_200, budget=9_000, keep=1_000) as chat:
        plans = []
        for number in range(8):
            sim.clock.advance(7_200)
            plans.append(chat.send(FILLER.replace("{}", str(number))).plan)
        cuts = [plan for plan in plans if plan.cut]
        assert cuts and all(plan.decision.rule == "free" for plan in cuts)
        for plan in plans:
            assert ("Left out for price, not for room" in plan.explain()) == plan.cut
        row = chat._store.cuts()
        assert row.for_price == row.cuts >= len(cuts) and row.saved > 0


def test_a_plan_says_what_is_remembered(sim: Simulator) -> None:
    """In plain words in `explain`, and in what is recorded of the decision."""
    with talk(sim, fillers=1, memory="lean", budget=6_400) as chat:
        plan = chat.plan("Hello.")
        said = "Memory 'lean': the newest 400 tokens are always sent, older ones while that costs less; up to 1,000"
        assert said in plan.explain() and plan.why["memory"].startswith(said)
    with talk(sim, fillers=1, memory="full", budget=6_400, recall=False) as chat:
        words = chat.plan("Hello.").explain()
        assert "while they fit the budget; what leaves is summarised; nothing comes back" in words


def test_a_fork_remembers_as_its_parent_does() -> None:
    """What was chosen goes with a fork: the word and what overrides it."""
    with Conversation(MemoryStore(), client="simulator", memory="full", recall=False, budget=5_000) as chat:
        chat.send("Hello")
        with chat.fork(id="b") as fork:
            assert (fork.memory, fork.strategy, fork.recalls, fork.budget, fork.keep) == (
                "full", chat.strategy, None, 5_000, chat.keep,
            )  # fmt: skip
