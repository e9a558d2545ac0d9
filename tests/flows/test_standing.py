"""What the user asked to hold is quoted again where a view begins: the newest first, once, and not where it is gone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sash import Conversation, Economic, Recall, SlidingWindow, SteppedWindow, Summarised
from sash.simulator import Simulator
from sash.types import MemoryMode

FRENCH = "From now on, always answer in French."
DIET = "I'm vegetarian, so don't suggest meat."
FILLER = "I heard something quite different about the weather in the mountains today, number {}. " * 6
SUMMARY = "## Facts and decisions\n- The weather in the mountains was spoken of, for the most part.\n"
TOOL = {"name": "look", "description": "Looks.", "input_schema": {"type": "object", "properties": {}}}


@pytest.fixture
def sim() -> Simulator:
    """A simulator with a clock of its own."""
    return Simulator()


def talk(sim: Simulator, said: Sequence[str], fillers: int = 25, **settings: Any) -> Conversation:
    """Say this, then talk of other things until it has left the view."""
    chosen = {"budget": 2_400, "keep": 400, "strategy": SteppedWindow(), **settings}
    chat = Conversation(client=sim.client(), clock=sim.clock.now, max_tokens=300, **chosen)
    for text in said:
        chat.send(text)
    go_on(chat, fillers)
    return chat


def go_on(chat: Conversation, times: int) -> None:
    """Talk of other things."""
    for number in range(times):
        chat.send(FILLER.replace("{}", str(number)))
        chat.wait_for_background()


def quoted(chat: Conversation) -> list[str]:
    """The lines of instructions in the next request, without their dates."""
    texts = [block.get("text", "") for one in chat.plan("Hello.").body["messages"] for block in one["content"]]
    blocks = [text for text in texts if text.startswith("<standing_instructions>")]
    assert len(blocks) <= 1
    return [line.split(": ", 1)[1] for line in (blocks[0].splitlines() if blocks else []) if line.startswith("- ")]


@pytest.mark.parametrize("memory", ["lean", "balanced", "full", "all"])
def test_an_instruction_outlives_every_cut(sim: Simulator, memory: MemoryMode) -> None:
    """After one cut and after many it stands in each request, once: quoted, or in the summary in front."""
    with talk(sim, [FRENCH, DIET], strategy=None, keep=None, memory=memory) as chat:
        for _ in range(4):
            messages = str(chat.send("Good morning.").plan.body["messages"])
            assert messages.count("always answer in French") == 1 and messages.count("I'm vegetarian") == 1
            go_on(chat, 8)


@pytest.mark.parametrize("must_keep", [True, False])
def test_what_a_summary_lacks_is_quoted(sim: Simulator, must_keep: bool) -> None:
    """A preference, or an instruction, that the summary in front does not hold word for word; what it holds is not."""
    likes = "I prefer trains to planes."
    window = Summarised(inner=SteppedWindow(), must_keep=must_keep)
    sim.script(lambda body: SUMMARY if body["model"] == window.by else None)
    with talk(sim, [FRENCH, likes], strategy=window, fillers=40) as chat:
        plan = chat.plan("Hello.")
        assert plan.epoch.summary is not None
        said = str([one for one in plan.body["messages"] if one["role"] == "user"])
        assert said.count("always answer in French") == 1 and said.count("I prefer trains to planes") == 1


@pytest.mark.parametrize("window", [SteppedWindow(), SlidingWindow(), Economic()], ids=repr)
def test_instructions_are_quoted_newest_first(sim: Simulator, window: Any) -> None:
    """Under every window, those that left the view, word for word."""
    with talk(sim, [f"Hello. {FRENCH}", DIET], strategy=window) as chat:
        assert quoted(chat) == [DIET, FRENCH]


def test_a_cut_that_recall_makes_pay_quotes_them_too(sim: Simulator) -> None:
    """Whatever makes a view begin: no question behind the first cut is sent without what was asked to hold."""
    chapter = (
        "I read chapter {} about the weather in the mountains, and it went on about clouds, wind and rain for long."
    )
    with talk(
        sim,
        [FRENCH, *["Good day to you."] * 8, "My code is 7731."],
        fillers=0,
        strategy=Economic(),
        memory="lean",
        recall=Recall(tokens=187),
        budget=6_000,
    ) as chat:
        made = 0
        for number in range(80):
            sim.clock.advance(40)
            chat.send(chapter.format(number))
            asked, told = chat.plan("Which code have I, in which chapter?"), chat.plan("Good morning.")
            made += asked.cut and not told.cut
            for plan in (asked, told):
                held = FRENCH in str([turn.text for turn in plan.turns if turn.role == "user"])
                assert held or str(plan.body["messages"]).count(f": {FRENCH}") == 1
        assert made


def test_a_newer_instruction_takes_the_older_ones_place(sim: Simulator) -> None:
    """What was superseded is quoted no more, also where the newer one still stands in the view."""
    with talk(sim, [FRENCH, "Call me Ann.", "From now on, always answer in English.", "Call me Dr. Lee."]) as chat:
        assert quoted(chat) == ["Call me Dr. Lee.", "From now on, always answer in English."]
        chat.send("From now on, always answer in Dutch.")
        attached = None
        while attached is None:
            go_on(chat, 1)
            attached = chat.history(limit=2)[0].attachment or chat.plan("Hello.").turns[-1].attachment
        assert "Dr. Lee" in attached.content and "always answer in English" not in attached.content


def test_without_memory_nothing_is_quoted(sim: Simulator) -> None:
    """`memory="none"` forgets what left the view."""
    with talk(sim, [FRENCH], memory="none") as chat:
        assert quoted(chat) == [] and "French" not in str(chat.plan("Hello.").body)


def test_what_is_pinned_is_not_quoted_too(sim: Simulator) -> None:
    """An instruction that stands in a pinned turn is in the request once."""
    with talk(sim, [FRENCH], fillers=3) as chat:
        chat.pin(chat.history()[0])
        go_on(chat, 25)
        said = [one for one in chat.plan("Hello.").body["messages"] if one["role"] == "user"]
        assert str(said).count("always answer in French") == 1 and quoted(chat) == []


def test_imported_instructions_hold_as_well(sim: Simulator) -> None:
    """What was said elsewhere, long before the first request, is found by its words."""
    with Conversation(client=sim.client(), clock=sim.clock.now, budget=2_400, strategy=SteppedWindow()) as chat:
        said = [
            FRENCH,
            "D'accord.",
            *(f"Note of the day {at}: nothing new at all, and so on. " * 4 for at in range(90)),
        ]
        chat.extend([{"role": "assistant" if at % 2 else "user", "content": text} for at, text in enumerate(said)])
        assert quoted(chat) == [FRENCH]


def test_the_share_bounds_what_is_quoted(sim: Simulator) -> None:
    """Of more instructions than the share holds the newest are quoted."""
    rules = [f"Never mention the {name} harbour." for name in ("north", "south", "east", "west", "old", "new") * 6]
    rules = [rule.replace("harbour", f"harbour of bay {at}") for at, rule in enumerate(rules)]
    with talk(sim, rules) as chat:
        found = quoted(chat)
        assert 0 < len(found) < len(rules) and found == rules[::-1][: len(found)]
        attached = next(turn.attachment for turn in chat.plan("Hello.").turns if turn.attachment)
        assert attached.tokens <= chat._session.instructions


def test_a_plan_says_what_is_quoted(sim: Simulator) -> None:
    """`explain` names the turns, at the request that quotes them."""
    with talk(sim, [FRENCH], strategy=SlidingWindow(turns=2), fillers=4) as chat:
        assert "as asked to hold: from turn 1." in chat.plan("Hello.").explain()


def test_redaction_reaches_quotes(sim: Simulator, path: Path) -> None:
    """A redacted instruction is quoted no more, and no byte of it is left."""
    with talk(sim, [f"{FRENCH[:-1]} like Aurélie Quimper."], store=path) as chat:
        assert "Quimper" in str(chat.plan("Hello.").body)
        for turn in chat.history()[:2]:  # the simulator repeats what it is told
            chat.redact(turn)
        assert "Quimper" not in str(chat.send("Hello.").plan.body)
    assert b"Quimper" not in path.read_bytes()


def test_a_view_with_instructions_rebuilds(sim: Simulator, path: Path) -> None:
    """Every past request is rebuilt byte for byte, also by another process."""
    with talk(sim, [FRENCH, DIET], store=path, id="a") as chat:
        numbers = range(1, chat.usage().requests + 1)
        assert all(chat.request(number).intact for number in numbers)
    with Conversation(path, id="a", client="simulator") as again:
        assert all(again.request(number).intact for number in numbers)
        assert any("standing_instructions" in str(again.request(number).body) for number in numbers)


def test_a_view_that_begins_in_a_tool_run_quotes_with_the_next_turn(sim: Simulator) -> None:
    """Results of tools get no quotation; the first turn behind them does."""
    with talk(sim, [FRENCH], fillers=6, budget=1_400, tools=[TOOL]) as chat:
        call = [{"type": "tool_use", "name": "look", "input": {}}]
        sim.script([call, "Seen.", "Good."])
        reply = chat.send("Look once.")
        reply = chat.submit({reply.tool_calls[0]["id"]: "A very long list of things. " * 60})
        chat.send("And so on it went that day, as ever. " * 8)
        found = [turn for turn in chat.history() if turn.attachment]
        assert all(turn.plain for turn in found) and quoted(chat) == [FRENCH]


@given(
    said=st.lists(
        st.sampled_from([FRENCH, DIET, "Call me Ann.", "Don't use emojis.", "Hello.", "How is it?"]), max_size=8
    ),
    budget=st.integers(900, 4_000),
    window=st.sampled_from([SteppedWindow(), SlidingWindow(), Economic()]),
)
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
def test_quoting_keeps_the_budget_and_doubles_nothing(said: list[str], budget: int, window: Any) -> None:
    """Whatever was asked and however small the budget: prompts fit, and each instruction stands in a view once."""
    sim = Simulator()
    with talk(sim, said, budget=budget, keep=budget // 4, strategy=window, fillers=10) as chat:
        reply = chat.send("Hello.")
        assert reply.usage.prompt <= budget
        lines = quoted(chat)
        assert len(lines) == len(set(lines))
        view = [block.get("text", "") for turn in reply.plan.turns if turn.role == "user" for block in turn.blocks]
        assert not set(lines) & set(view)
