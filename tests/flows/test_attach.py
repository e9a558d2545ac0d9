"""Recall in the request: what left the view and answers a question is attached to it, and all laws go on holding."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sash import Conversation, Economic, Recall, SlidingWindow, SteppedWindow
from sash.errors import BudgetExceeded, InvalidOption
from sash.simulator import RateLimited, Simulator
from strategies import BUDGETS, WINDOWS, Afternoon, walks
from walks import TOOL, take

FACT = "My locker code is 7731 and the locker stands behind the blue door."
FILLER = "I heard something quite different about the weather in the mountains today, number {}. "


@pytest.fixture
def sim() -> Simulator:
    """A simulator with a clock of its own."""
    return Simulator()


@pytest.fixture
def chat(sim: Simulator) -> Iterator[Conversation]:
    """A conversation whose view has lost the fact that was told first."""
    with talk(sim) as found:
        yield found


def talk(sim: Simulator, fillers: int = 12, **settings: Any) -> Conversation:
    """Tell a fact, and talk of other things until it has left the view."""
    chosen = {"budget": 2_000, "keep": 300, "recall": Recall(tokens=400), "strategy": SteppedWindow(), **settings}
    found = Conversation(client=sim.client(max_retries=0), clock=sim.clock.now, max_tokens=300, **chosen)
    found.send(FACT)
    for number in range(fillers):
        found.send(FILLER.format(number) * 6)
    return found


def test_a_question_brings_back_what_left_the_view(chat: Conversation) -> None:
    """The old fact is quoted with date and speaker before the question's text, and answered from."""
    reply = chat.send("Which code has my locker?")
    assert "7731" in reply.text
    quoted, asked = chat.request(reply.number).body["messages"][-1]["content"]
    assert quoted["text"].startswith("<recalled>") and f"user: {FACT}" in quoted["text"]
    assert asked["text"] == "Which code has my locker?"


def test_without_recall_it_is_forgotten(sim: Simulator) -> None:
    """The same question without recall finds nothing: the fact really had left."""
    with talk(sim, recall=False) as chat:
        assert "7731" not in chat.send("Which code has my locker?").text


def test_the_plan_names_what_was_attached_and_why(chat: Conversation) -> None:
    """A dry run shows turn and reason, and writes nothing; the record of the plan names no words."""
    plan = chat.plan("Which code has my locker?")
    assert plan.attachment is not None and 1 in [source.seq for source in plan.attachment.sources]
    assert "turn 1 (words: locker" in plan.explain() or "turn 1 (words: code" in plan.explain()
    assert "locker" not in str(plan.why) and 1 in plan.why["attached"]
    assert all(turn.attachment is None for turn in chat.history())


def test_what_stands_in_the_view_is_not_attached_again(chat: Conversation) -> None:
    """The second question about the same fact finds it in the view already."""
    chat.send("Which code has my locker?")
    again = chat.plan("The code of the locker, please?")
    assert again.attachment is None or 1 not in [source.seq for source in again.attachment.sources]


def test_a_cut_sheds_all_but_the_newest(chat: Conversation) -> None:
    """After the next cut the old attachment is gone from the view, and from what it is counted as."""
    first = chat.send("Which code has my locker?")
    later = first
    while not (later.plan.cut and later.number > first.number):
        later = chat.send(FILLER.format(later.number) * 6)
    texts = str(later.plan.body["messages"])
    assert "7731" not in texts or later.plan.attachment is not None
    assert abs(later.plan.prompt.tokens - later.usage.prompt) <= 0.2 * later.usage.prompt + 16


def test_tool_results_get_no_attachment(chat: Conversation, sim: Simulator) -> None:
    """A turn of results is sent as it is, whatever it says."""
    sim.script([[{"type": "tool_use", "name": "lookup", "input": {"word": "lamp"}}]])
    call = chat.send("Look the lamp up.", tools=[TOOL]).tool_calls[0]["id"]
    sim.script([])
    chat.submit({call: "The locker code is asked for."})
    assert chat.history(limit=2)[0].attachment is None


def test_a_run_asks_once_by_the_turn_that_opens_it(sim: Simulator) -> None:
    """What was recalled for an order stands in all requests of its run; a tool's result recalls nothing."""
    chat = talk(sim, fillers=30, budget=4_000)

    def read_mail() -> str:
        """Read the newest mail."""
        return "Which code has my locker? And where does the locker stand?"

    sim.script([[{"type": "tool_use", "name": "read_mail", "input": {}}], "Done."])
    reply = chat.run("Check the code of the locker against the mail.", tools=[read_mail])
    bodies = [chat.request(number).body for number in (reply.number - 1, reply.number)]
    assert all(str(body["messages"]).count("<recalled>") == 1 for body in bodies)
    attached = [turn for turn in chat.history(limit=4) if turn.attachment]
    assert [turn.text for turn in attached] == ["Check the code of the locker against the mail."]


def test_a_retried_question_keeps_its_attachment(chat: Conversation, sim: Simulator) -> None:
    """What was attached to a question that failed is sent again as it was, also from another process."""
    sim.fail_next(RateLimited())
    with pytest.raises(Exception, match=r"429|rate"):
        chat.send("Which code has my locker?")
    sim.calm()
    pending = chat.history(limit=1)[0]
    reply = chat.retry()
    assert pending.attachment is not None and "7731" in reply.text
    assert reply.plan.attachment == pending.attachment


def test_a_fork_shares_attachments_and_an_edit_finds_its_own(chat: Conversation) -> None:
    """A fork sends the same bytes; an edited question is a new turn with an attachment of its own."""
    first = chat.send("Which code has my locker?")
    with chat.fork(id="other") as fork:
        assert fork.send("Thanks.").plan.body["messages"][: len(first.plan.numbered)] != []
        assert fork.request(1).intact
    question = next(turn for turn in chat.history() if turn.text == "Which code has my locker?")
    edited = chat.edit(question, "Where does the locker stand?")
    assert edited.plan.attachment is not None and "blue door" in edited.text


def test_less_is_attached_where_more_would_force_a_cut(sim: Simulator) -> None:
    """With little room before the budget, the attachment shrinks; the view stays."""
    with talk(sim, fillers=9, recall=Recall(tokens=1_500)) as chat:
        for number in range(12):
            plan = chat.plan("Which code has my locker, and the weather of the mountains?")
            assert plan.prompt.upper <= plan.situation.limit
            chat.send(FILLER.format(number) * 3)


def test_a_sliding_window_makes_room(sim: Simulator) -> None:
    """Where the view is cut at every turn anyway, what leaves makes room for what is recalled."""
    with talk(sim, strategy=SlidingWindow(), budget=1_200) as chat:
        reply = chat.send("Which code has my locker?")
        assert "7731" in reply.text and reply.usage.prompt <= 1_200


def test_hand_placed_markers_stay_on_their_block(chat: Conversation) -> None:
    """A marker on the question's only block is sent on that block, behind what is attached."""
    asked = {"type": "text", "text": "Which code has my locker?", "cache_control": {"type": "ephemeral"}}
    content = chat.send([asked]).plan.body["messages"][-1]["content"]
    assert [("cache_control" in block) for block in content] == [False, True]


@pytest.mark.parametrize("wrong", [1, "yes", {"tokens": 5}])
def test_anything_but_a_recall_is_refused(wrong: Any) -> None:
    """`recall` is a Recall, True or None."""
    with pytest.raises(InvalidOption):
        Conversation(client="simulator", recall=wrong)


@pytest.mark.parametrize("query", ["", "?!", "   ", '" OR 1=1 --', "NEAR(a b) AND -c*", "ሰላም ለዓለም", "☃☃☃"])
def test_odd_questions_are_only_text(chat: Conversation, query: str) -> None:
    """Operators, nothing at all, unknown scripts: the plan is made, with or without finds."""
    assert chat.plan(f"{query}.").body["messages"]


THINGS = (
    "lamp",
    "boat",
    "cake",
    "door",
    "coat",
    "ring",
    "vase",
    "drum",
    "sofa",
    "kite",
    "bell",
    "gate",
    "book",
    "fork",
)
PLACES = ("attic", "cellar")
THANKS = ("Thank you.", "I went for a walk today, it was sunny.", "Hello!", "That is all for now, good night.")


def told(sim: Simulator, window: Any, **settings: Any) -> Conversation:
    """A long past, each thing of it told about sixteen times, and none of it in the view."""
    found = Conversation(client=sim.client(), clock=sim.clock.now, max_tokens=300, strategy=window, **settings)
    said = [
        f"My {thing} number {turn} stands in the {place}, and its mark is {turn * 37 + at}."
        for turn in range(8)
        for at, thing in enumerate(THINGS)
        for place in PLACES
    ]
    found.extend([{"role": ("user", "assistant")[at % 2], "content": text} for at, text in enumerate(said)])
    for number in range(8):
        found.send(FILLER.format(number) * 12)
    return found


@pytest.mark.parametrize("window", [SteppedWindow(), Economic()], ids=repr)
def test_every_question_of_a_row_gets_its_share(sim: Simulator, window: Any) -> None:
    """24 questions one after another get the share each; what is said between them, and asks nothing, gets nothing."""
    with told(sim, window, budget=8_000, recall=Recall()) as chat:
        for number in range(24):
            asked = chat.send(f"What is the mark of my {THINGS[number % len(THINGS)]}?")
            assert asked.plan.attachment is not None and 400 <= asked.plan.attachment.tokens <= 1_000
            assert asked.usage.prompt <= 8_000
            assert chat.send(THANKS[number % len(THANKS)]).plan.attachment is None


@given(
    window=st.sampled_from([SteppedWindow(), Economic(), SlidingWindow()]),
    budget=st.integers(1_200, 6_000),
    keep=st.sampled_from([0.1, 0.25, 0.9]),
    tokens=st.integers(1, 6_000),
    said=st.lists(st.sampled_from([*THINGS[:6], *THANKS]), min_size=4, max_size=12),
)
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_shares_of_any_size_fit_the_budget(window: Any, budget: int, keep: float, tokens: int, said: list[str]) -> None:
    """Whatever the share: no prompt passes the budget, and nothing is attached that stands in the view."""
    sim = Simulator()
    with told(sim, window, budget=budget, keep=int(keep * budget), recall=Recall(tokens=tokens)) as chat:
        for text in said:
            reply = chat.send(f"What is the mark of my {text}?" if text in THINGS else text)
            shown = [t.attachment for t in reply.plan.turns if t.attachment and reply.plan.epoch.shows(t)]
            quoted = [source.seq for one in shown for source in one.sources]
            assert reply.usage.prompt <= budget and all(one.tokens <= tokens for one in shown)
            assert len(set(quoted)) == len(quoted) and not set(quoted) & {turn.seq for turn in reply.plan.turns}


def test_a_cut_taken_for_a_question_says_so(sim: Simulator) -> None:
    """Where a question would find no room, the oldest turns leave, and the plan says for what."""
    with told(sim, SteppedWindow(), budget=4_000, keep=1_000, recall=Recall(tokens=900)) as chat:
        plans = [chat.send(f"What is the mark of my {thing}?").plan for thing in THINGS[:12]]
    cuts = [plan for plan in plans if plan.cut and "tokens are kept for what is quoted from earlier" in plan.explain()]
    assert cuts and all(plan.attachment is not None for plan in cuts)


def test_what_is_not_recalled_is_said_and_why(sim: Simulator) -> None:
    """A plan says that its turn asks nothing, that nothing answers it, or that the budget has no room."""
    with talk(sim) as chat:
        assert "the newest turn asks nothing" in chat.plan("Thanks, that was kind.").explain()
        assert "answers the newest turn within 400 tokens" in chat.plan("Quousque tandem?").explain()
        fits, exceeds = 0, 400  # sentences: in between, whatever tokens are counted with
        while exceeds - fits > 1:
            middle = (fits + exceeds) // 2
            asked = "Which code has my locker? " + "I have been looking for it everywhere. " * middle
            try:
                said = chat.plan(asked).explain()
            except BudgetExceeded:
                exceeds = middle
                continue
            if "leaves no room in the budget of 2,000 tokens" in said:
                return
            fits = middle
    pytest.fail("a turn that leaves no room is too large first")


def test_a_former_setting_is_refused_with_what_to_do(sim: Simulator) -> None:
    """`each` is no setting any more: the error says what bounds a question now."""
    with pytest.raises(InvalidOption, match="tokens= is the share of each question"):
        Recall(each=100)  # type: ignore[call-arg]
    with talk(sim, fillers=0) as chat, pytest.raises(InvalidOption, match="tokens= is the share"):
        chat.recall("locker", each=100)


@given(
    window=st.sampled_from(sorted(WINDOWS)),
    budget=st.sampled_from(BUDGETS[:2]),
    steps=walks,
    tokens=st.sampled_from([100, 500, 5_000]),
)
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_all_laws_hold_with_recall(window: str, budget: int, steps: list[Any], tokens: int) -> None:
    """Over any walk: bodies rebuild, views grow at their end, the share holds, nothing stands in a view twice."""
    filled = [("send", 120)] * 6
    take(Afternoon(window, [*filled, *steps], budget=budget, system=None, recall=Recall(tokens=tokens)))


@pytest.mark.nightly
@given(window=st.sampled_from(sorted(WINDOWS)), budget=st.sampled_from(BUDGETS[:3]), steps=walks)
@settings(max_examples=1_000, deadline=None, suppress_health_check=list(HealthCheck))
def test_all_laws_hold_with_recall_over_many_walks(window: str, budget: int, steps: list[Any]) -> None:
    """The same, over many."""
    steps = [("send", 120)] * 8 + steps
    take(Afternoon(window, steps, budget=budget, system=None, recall=Recall(tokens=budget // 4)))
