"""Conversations with summaries: made ahead, in the background, swapped in at a cut, paid for, rebuilt, shown."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sash import AsyncConversation, Conversation, Economic, SlidingWindow, SteppedWindow, Summarised, check_request
from sash.errors import InvalidOption, NotFound, UnknownModel
from sash.model.replies import Reply
from sash.model.values import counted
from sash.simulator import Overloaded, Refusal, Simulator
from sash.stores import Store
from sash.stores.around import around
from sash.summaries import PROMPT_VERSION
from summarising import BY, MODEL, Talker


@pytest.fixture
def talker(tmp_path: Path) -> Iterator[Talker]:
    """A talker with a file."""
    made = Talker(tmp_path / "a.db")
    yield made
    made.close()


@dataclass
class Step:
    """A message: its reply, the model that was asked last before it came, how many summaries were made meanwhile."""

    reply: Reply
    asked: str
    makings: int


@dataclass
class Afternoon:
    """A talk of sixty messages with several summaries. For looking at; whoever goes on talking has a talker."""

    talker: Talker
    steps: list[Step]


@pytest.fixture(scope="module")
def afternoon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Afternoon]:
    """One for all tests here."""
    talker, steps = Talker(tmp_path_factory.mktemp("afternoon") / "a.db"), []
    for _ in range(60):
        before = len(talker.makings())
        reply = talker.say(wait=False)
        asked = talker.sim.messages[-1].body["model"]
        talker.chat.wait_for_background()
        steps.append(Step(reply, asked, len(talker.makings()) - before))
    yield Afternoon(talker, steps)
    talker.close()


def view(talker: Talker, number: int) -> list[dict[str, Any]]:
    """The messages of a past request."""
    messages: list[dict[str, Any]] = talker.chat.request(number).body["messages"]
    return messages


def test_what_leaves_is_in_the_summary_in_front(talker: Talker) -> None:
    """At a cut the view begins with the summary, as data in a user turn, and the next turn is the first not covered."""
    reply = talker.until_cut()
    (newest,) = [one for one in talker.chat.summaries() if one.id == reply.plan.epoch.summary.id]
    first, second = view(talker, reply.number)[:2]
    assert first["role"] == second["role"] == "user"
    assert "<" in first["content"][0]["text"]
    assert "Order 10" in first["content"][0]["text"]
    assert reply.plan.epoch.first_seq <= newest.upto + 1
    assert "system" not in {message["role"] for message in view(talker, reply.number)}


def test_no_send_waits_for_a_summary_made_ahead(afternoon: Afternoon) -> None:
    """Between the user's message and its reply no other model is asked: cuts find their summary ready."""
    for step in afternoon.steps:
        assert step.reply.plan.cut or step.asked in (MODEL, BY)
        assert not any("waited" in note for note in step.reply.notes)
        assert step.makings <= 1
    assert sum(summary.state == "ready" for summary in afternoon.talker.chat.summaries()) >= 2


def test_every_past_request_is_rebuilt_byte_for_byte(afternoon: Afternoon) -> None:
    """Epochs remember the very text of their summary, over restarts and later summaries."""
    with Conversation(afternoon.talker.path, **afternoon.talker.settings) as again:
        requests = [again.request(step.reply.number) for step in afternoon.steps]
    assert all(request.intact for request in requests)
    assert len({request.epoch.summary.id for request in requests if request.epoch.summary}) >= 2
    assert all(check_request(request.body) == [] for request in requests)


def test_within_the_budget_whatever_the_summary_weighs(afternoon: Afternoon) -> None:
    """The summary counts: no prompt passes the budget, and what was expected is what usage says."""
    for step in afternoon.steps:
        reply = step.reply
        assert reply.usage.prompt <= 3_000
        assert abs(reply.usage.prompt - reply.plan.prompt.tokens) <= 0.05 * reply.usage.prompt + 20


def test_a_summary_goes_on_from_the_one_before(afternoon: Afternoon) -> None:
    """Its sources are the turns behind its parent; together the chain covers every turn up to its end, once."""
    chat = afternoon.talker.chat
    ready = [summary for summary in chat.summaries() if summary.state == "ready"]
    turns = {turn.id: turn.seq for turn in chat.history()}
    covered: list[int] = []
    for parent, summary in zip([None, *ready], ready, strict=False):
        assert summary.parent == (parent.id if parent else None)
        covered += [turns[source] for source in summary.sources()]
        assert covered == list(range(1, summary.upto + 1))
        assert (summary.model, summary.prompt, summary.method) == (BY, PROMPT_VERSION, "model")
        assert 0 < summary.tokens <= 500


def test_what_summaries_cost_is_in_the_usage(afternoon: Afternoon) -> None:
    """`chat.usage()` is what the simulator billed, summaries included."""
    talker = afternoon.talker
    assert sum(summary.cost or 0.0 for summary in talker.chat.summaries()) > 0
    assert talker.chat.usage().dollars == pytest.approx(talker.sim.cost)


def test_a_forced_cut_without_a_summary_waits_for_one(tmp_path: Path) -> None:
    """With nothing made ahead, the budget forces the wait; plan and reply say so."""
    talker = Talker(tmp_path / "a.db", Summarised(tokens=500, ahead=False))
    while not talker.chat.plan("What now? " * 40).decision.waits:
        assert not talker.makings()
        talker.say()
    assert "Waits for a summary" in talker.chat.plan("What now? " * 40).explain()
    reply = talker.say(words="What now? " * 40)
    assert reply.plan.epoch.summary is not None
    assert reply.notes[0].startswith("waited for a summary of the turns up to")
    talker.close()


class Reading:
    """Counts how often a store reads a window, and sets an event meanwhile."""

    def __init__(self, store: Store) -> None:
        self.store, self.windows, self.read = around(store, self.note), 0, threading.Event()

    @contextmanager
    def note(self, name: str, _: Any) -> Iterator[None]:
        """Around each call of the store."""
        if name == "windows.read":
            self.windows += 1
            self.read.set()
        yield


@pytest.mark.parametrize(("beside", "windows"), [(False, 2), (True, 3)])
def test_a_cut_that_waits_plans_anew_only_where_something_changed(tmp_path: Path, beside: bool, windows: int) -> None:
    """Once before the summary is made and once with it; once more where the background ended something meanwhile."""
    talker = Talker(tmp_path / "a.db", Summarised(tokens=500, ahead=False))
    while not talker.chat.plan("What now? " * 40).decision.waits:
        talker.say()
    store = talker.chat._store
    reading = Reading(store)
    talker.chat._store = reading.store
    if beside:
        talker.chat._summarising.start(reading.read.wait)
    reply = talker.say(words="What now? " * 40)
    talker.chat._store = store
    assert reply.notes[0].startswith("waited for a summary of the turns up to")
    assert reading.windows == windows
    talker.close()


@pytest.mark.parametrize("fault", [Overloaded(), Refusal()])
def test_where_none_can_be_made_the_cut_is_plain_and_says_so(tmp_path: Path, fault: Any) -> None:
    """A summary that fails when it is needed changes nothing but the view: the turns stay in the record."""
    talker = Talker(tmp_path / "a.db", Summarised(tokens=500, ahead=False))
    talker.sim.fail_next(fault, times=100, when=lambda body: body["model"] == BY)
    reply = talker.until_cut()
    assert reply.plan.epoch.summary is None
    assert reply.notes[0].startswith("cut without a summary of the turns up to")
    talker.sim.calm()
    talker.sim.clock.advance(4_000)
    reply = talker.until_cut()
    assert reply.plan.epoch.summary is not None
    (made,) = [one for one in talker.chat.summaries() if one.id == reply.plan.epoch.summary.id]
    assert made.sources()[0] == talker.chat.history()[0].id
    talker.close()


def test_after_failures_in_a_row_no_send_waits_in_vain(tmp_path: Path) -> None:
    """Behind three failures the breaker is open: forced cuts are plain at once, until its time has come."""
    talker = Talker(tmp_path / "a.db", Summarised(tokens=500, ahead=False), budget=2_500)
    talker.sim.fail_next(Overloaded(), times=100, when=lambda body: body["model"] == BY)
    for _ in range(5):
        reply = talker.until_cut(pause=0.1)
    assert len(talker.makings()) == 3
    assert reply.notes
    assert "failed 3 times" in reply.plan.epoch.reason
    talker.close()


def test_a_failed_background_summary_is_left_alone_for_a_while(tmp_path: Path) -> None:
    """Nothing is raised; the next attempt comes when the backoff is over and no sooner, doubled each time."""
    talker = Talker(tmp_path / "a.db", Summarised(tokens=500, wait=False))
    talker.sim.fail_next(Overloaded(), times=2, when=lambda body: body["model"] == BY)
    while not talker.makings():
        talker.say(pause=1.0)
    for number, backoff in enumerate((30.0, 60.0), 1):
        passed = talker.sim.clock.now() - talker.makings()[-1].time
        talker.say(pause=backoff - passed - 1.0)
        assert len(talker.makings()) == number
        talker.say(pause=2.0)
        assert len(talker.makings()) == number + 1
    talker.close()


def test_turns_that_arrive_meanwhile_stay_verbatim(talker: Talker) -> None:
    """A summary that was made some turns ago is swapped in; what came after its end is sent word for word."""
    reply = talker.until_cut()
    summary, sent = reply.plan.epoch.summary, {turn.seq for turn in reply.plan.turns}
    newest = talker.chat.history()[-1].seq
    assert set(range(summary.upto + 1, newest)) <= sent


def test_a_cold_cache_is_a_free_cut_once_a_summary_is_ready(tmp_path: Path) -> None:
    """After a long pause the window is cut to the summary well below the budget; without one it stays."""
    talker = Talker(tmp_path / "a.db", budget=30_000, keep=600)
    rules = [talker.say(pause=8_000).plan.decision.rule for _ in range(30)]
    assert "free" in rules
    assert "must" not in rules
    talker.close()
    plain = Talker(tmp_path / "b.db", Summarised(tokens=500, ahead=False), budget=30_000, keep=600)
    replies = [plain.say(pause=8_000) for _ in range(30)]
    assert {reply.plan.decision.rule for reply in replies} == {"first", "stay"}
    assert "no summary covers more yet" in replies[-1].plan.decision.reason
    plain.close()


@pytest.mark.parametrize("inner", [SteppedWindow(), SlidingWindow(), SlidingWindow(turns=4), Economic()])
def test_around_any_window(tmp_path: Path, inner: Any) -> None:
    """Every strategy may decide when to cut; what leaves is in the summary all the same."""
    talker = Talker(tmp_path / "a.db", Summarised(inner=inner, tokens=500))
    for _ in range(45):
        reply = talker.say()
        first = reply.plan.epoch.first_seq
        covered = reply.plan.epoch.summary.upto if reply.plan.epoch.summary else 0
        assert first <= covered + 1, "a turn is neither sent nor covered"
        assert reply.usage.prompt <= 3_000
    assert reply.plan.epoch.summary is not None
    talker.close()


def test_leaving_the_strategy_loses_nothing(talker: Talker) -> None:
    """Another strategy sends no summary from its first cut on; coming back, the newest one stands again."""
    talker.until_cut()
    talker.chat.strategy = SteppedWindow()
    assert talker.until_cut().plan.epoch.summary is None
    talker.chat.strategy = Summarised(tokens=500)
    assert talker.until_cut().plan.epoch.summary is not None
    assert all(talker.chat.request(number).intact for number in range(1, talker.said + 1))


def test_an_edit_before_its_end_leaves_a_summary_behind(talker: Talker) -> None:
    """What was said instead is in no summary of what was said before."""
    talker.until_cut()
    third = [turn for turn in talker.chat.history() if turn.plain][2]
    reply = talker.chat.edit(third, "Forget the lamps, I keep bees.")
    assert reply.plan.epoch.summary is None
    assert [turn.seq for turn in reply.plan.turns] == [1, 2, 3, 4, 5]


def test_a_fork_shares_the_summary(talker: Talker) -> None:
    """The past is shared: the fork's next cut brings in what its parent made."""
    talker.until_cut()
    fork = talker.chat.fork(id="b")
    (first, *_) = fork.summaries()
    assert first.text == talker.chat.summaries()[0].text
    reply = fork.send("And what of order 1002?")
    assert reply.plan.epoch.summary is not None
    fork.close()


def test_a_summary_is_made_again_from_the_record(talker: Talker) -> None:
    """From the first turn on, by another model if asked; the one before is kept, the new one is next in the view."""
    with pytest.raises(NotFound):
        talker.chat.resummarise()
    talker.until_cut()
    before = talker.chat.summaries()
    again = talker.chat.resummarise(by="claude-opus-5-5")
    assert talker.chat.summaries() == [*before, again]
    assert (again.state, again.parent, again.model) == ("ready", None, "claude-opus-5-5")
    assert again.upto == before[-1].upto
    assert len(again.sources()) == again.upto
    reply = talker.say(system="Be brief.")
    assert reply.plan.epoch.summary.id == again.id


def test_the_chats_own_model_reads_its_warm_prefix(tmp_path: Path) -> None:
    """The same tools, system and options, one more turn, a marker on the previous tail only; nothing of it recorded."""
    strategy = Summarised(tokens=500, warm=True)
    tools = [{"name": "lookup", "description": "Look.", "input_schema": {"type": "object"}}]
    talker = Talker(tmp_path / "a.db", strategy, system="You are patient. " * 100, tools=tools)
    reply = talker.until_cut()
    assert reply.plan.epoch.summary is not None
    (first, *_) = [one for one in talker.chat.summaries() if one.state == "ready"]
    assert (first.method, first.model) == ("warm", MODEL)
    assert first.usage.read > 0.8 * first.usage.prompt
    asked = next(
        a for a in talker.sim.messages if "software that keeps this conversation" in str(a.body["messages"][-1])
    )
    sent = talker.sim.messages[talker.sim.messages.index(asked) - 1]
    for name in ("tools", "system"):
        assert bare(asked.body[name]) == bare(sent.body[name])
    assert str(asked.body).count("cache_control") == 1
    assert not any("software that keeps" in turn.text for turn in talker.chat.history())
    talker.close()


def test_a_tool_call_is_no_summary(tmp_path: Path) -> None:
    """The chat's own model may call a tool when asked for a summary: rejected, and recorded as such."""
    tools = [{"name": "lookup", "description": "Look.", "input_schema": {"type": "object"}}]
    talker = Talker(tmp_path / "a.db", Summarised(tokens=500, warm=True), tools=tools)
    call = {"type": "tool_use", "name": "lookup", "input": {}}
    talker.sim.script(lambda body: [call] if "software that keeps" in str(body["messages"][-1]) else None)
    for _ in range(30):
        talker.say()
    rejected = talker.chat.summaries()
    assert rejected
    assert {(one.state, one.report["reason"]) for one in rejected} == {("rejected", "tool-call")}
    talker.close()


def test_a_long_backlog_is_summarised_in_pieces(tmp_path: Path) -> None:
    """No request passes the price cliff of the model that reads; the pieces go on from each other."""
    with Conversation(tmp_path / "a.db", id="a", model=MODEL, client="simulator") as chat:
        long = "The ledger holds crate {} of Oda. " * 400
        for number in range(24):
            chat.extend(
                [{"role": "user", "content": long.format(*[number] * 400)}, {"role": "assistant", "content": "Yes."}]
            )
    talker = Talker(tmp_path / "a.db", Summarised(tokens=1_000), budget=12_000, keep=2_000)
    reply = talker.say(wait=False)
    assert reply.plan.epoch.summary is not None
    assert reply.notes[0].startswith("waited")
    sizes = [attempt.usage.prompt for attempt in talker.makings() if attempt.usage]
    assert len(sizes) >= 2
    assert max(sizes) <= 100_000
    assert talker.chat.summaries()[0].requests >= 2
    talker.close()


def test_async_conversations_make_theirs_in_a_task(tmp_path: Path) -> None:
    """The same flow, awaited: cuts find their summary ready, and closing leaves nothing running."""
    asyncio.run(talk_async(tmp_path))


async def talk_async(tmp_path: Path) -> None:
    """Forty messages, then the newest summary once more."""
    sim = Simulator()
    async with AsyncConversation(
        tmp_path / "a.db", id="a", model=MODEL, budget=3_000, keep=600, counter="features", clock=sim.clock.now,
        client=sim.async_client(), summarise=Summarised(tokens=500),
    ) as chat:  # fmt: skip
        for number in range(40):
            sim.clock.advance(30)
            reply = await chat.send(f"Order {1000 + number} never came. " + "Please be exact about it. " * 8)
            await chat.wait_for_background()
        assert reply.plan.epoch.summary is not None
        made = await chat.summaries()
        again = await chat.resummarise()
        assert again.id > made[-1].id
    assert len(asyncio.all_tasks()) == 1


def test_closing_does_not_wait_for_long(talker: Talker) -> None:
    """What is still being made is left behind; the record is legal, and the next object goes on."""
    while not talker.makings():
        talker.say(wait=False)
    talker.chat.close()
    talker.chat = Conversation(talker.path, **talker.settings)
    talker.sim.clock.advance(1_000)
    assert talker.until_cut().plan.epoch.summary is not None


def test_how_summaries_are_asked_for() -> None:
    """True, a model, or a strategy; anything else is an InvalidOption, a misspelt model an UnknownModel."""
    for asked, strategy, expected in (
        (True, None, Summarised()),
        ("claude-opus-5-5", SteppedWindow(), Summarised(inner=SteppedWindow(), by="claude-opus-5-5")),
        (Summarised(tokens=900), SteppedWindow(), Summarised(inner=SteppedWindow(), tokens=900)),
        (Summarised(tokens=900), None, Summarised(tokens=900)),
        (True, Summarised(tokens=900), Summarised(tokens=900)),
        (False, None, Economic()),
    ):
        with Conversation(summarise=asked, strategy=strategy, client="simulator") as chat:
            assert chat.strategy == expected
    wrongs: tuple[Any, ...] = (1.5, [])
    for wrong in wrongs:
        with pytest.raises(InvalidOption):
            Conversation(summarise=wrong, client="simulator")
    with pytest.raises(UnknownModel):
        Conversation(summarise="claude-haku-5-5", client="simulator")


def bare(value: Any) -> Any:
    """Without cache markers."""
    if isinstance(value, dict):
        return {key: bare(item) for key, item in value.items() if key != "cache_control"}
    return [bare(item) for item in value] if isinstance(value, list) else value


def test_people_see_the_summary(talker: Talker) -> None:
    """The plan names it, in words and in the strip; so does the page of a conversation."""
    reply = talker.until_cut()
    upto = reply.plan.epoch.summary.upto
    assert f"a summary of the turns up to {upto}" in reply.plan.explain()
    assert f"summary of the turns up to {upto}" in str(reply.plan._repr_html_())
    assert f"summary of the turns up to {upto}" in talker.chat._repr_html_()


def test_turns_that_a_summary_cannot_hold_stay_beside_it(tmp_path: Path) -> None:
    """Instructions beyond half the limit: their turns stand in front, whole, and are sources of every later summary."""
    talker = Talker(tmp_path / "a.db", Summarised(tokens=250), budget=4_000)
    for rule in (
        "Always answer in metric units and never in feet, inches or miles, please, whatever I say.",
        "Never mention the competitor Vandermeer & Sons in any reply, unless I say otherwise in so many words.",
        "From now on, call me Captain Oda of the harbour office, and sign every letter with my full title.",
        "Always write dates as 2026-11-21, never in words, and never with the month in letters.",
    ):
        talker.say(words=rule)
    for _ in range(2):
        reply = talker.until_cut()
        summary = reply.plan.epoch.summary
        assert summary.verbatim
        text = str(view(talker, reply.number))
        assert "metric units" in text
        assert "Captain Oda" in text
        assert talker.chat.request(reply.number).intact
    newest = [one for one in talker.chat.summaries() if one.state == "ready"][-1]
    assert talker.chat.history()[0].id in newest.sources()
    talker.close()


def test_turns_beside_a_summary_leave_room_for_the_conversation(tmp_path: Path) -> None:
    """However many instructions find no room in summaries, their turns take a quarter of the budget at most; a cut
    says how many leave for that."""
    talker = Talker(tmp_path / "a.db", budget=1_500, keep=300)
    told = []
    for number in range(26):
        say = f"Please note: {number + 3} loaves of rye for table {number}. " + "That is all for now. " * 4
        plan = talker.say(words=say).plan
        if plan.cut and plan.epoch.summary:
            left = set(plan.epoch.summary.verbatim).difference(turn.seq for turn in plan.turns)
            told.append(len(left))
            many = counted(len(left), "older turn")
            note = f"Left out: {many} that the summary wants word for word; the newest get 375 tokens."
            assert (note in plan.explain()) == bool(left)
        else:
            assert "the summary wants" not in plan.explain()
    assert 0 in told and max(told) > 4
    summaries, plan = talker.chat.summaries(), talker.chat.plan("And now?")
    beside = [turn for turn in plan.turns if turn.seq < plan.epoch.first_seq]
    assert len(summaries[-1].report["verbatim"]) > 4
    assert sum(plan.sizes[turn.seq].upper for turn in beside) <= 1_500 // 4
    talker.close()


def test_summaries_in_the_background_give_way(talker: Talker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits see them as background work of this conversation, and no memo answers for them."""
    seen = []
    perform = talker.chat._talker().claude.perform
    monkeypatch.setattr(talker.chat._claude, "perform", lambda step: (seen.append(step), perform(step))[1])  # type: ignore[func-returns-value]
    talker.until_cut()
    wires = [step.wire for step in seen if hasattr(step, "wire")]
    made = [wire.forecast for wire in wires if wire.body["model"] == BY]
    assert made
    assert {(one.priority, one.conversation, one.bypass_memo) for one in made} == {("background", "a", True)}
    assert all(0 < one.prompt < 20_000 for one in made)
