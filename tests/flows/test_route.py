"""Who answers when the model asked for cannot, or a router chooses; and how the first one's epoch goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sash import AsyncConversation, Conversation, MemoryStore
from sash.claude.keys import Key
from sash.errors import (
    AccessDenied,
    BudgetExceeded,
    InvalidOption,
    ReplyInterrupted,
    RequestRejected,
    Unavailable,
    UnknownModel,
)
from sash.limits import Ceiling
from sash.planning.routing import Asked, Fallback, Option, Router, Rule
from sash.planning.situation import Decision, Situation
from sash.simulator import (
    BillingError,
    ConnectionLost,
    CutStream,
    Overloaded,
    PromptTooLong,
    RateLimited,
    Refusal,
    Reply,
    ServerError,
    Simulator,
    SpendLimitReached,
    Timeout,
)

Talk = Callable[..., Conversation]

HOME, OTHER, THIRD = "claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-4-5"
LONG = "The harbour master keeps the books of every crate and vessel. " * 60
LOOKUP = {"name": "lookup", "description": "Look a word up.", "input_schema": {"type": "object"}}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "lookup", "input": {"word": "lamp"}}


def thoughts(body: Any) -> int:
    """How many thinking blocks a body holds."""
    return sum(block["type"] == "thinking" for message in body["messages"] for block in message["content"])


def asked_models(sim: Simulator) -> list[str]:
    """Which models were asked, in order."""
    return [attempt.body["model"] for attempt in sim.messages]


@pytest.mark.parametrize(
    "fault", [Overloaded(), ServerError(), RateLimited(), Timeout(), ConnectionLost()], ids=lambda f: type(f).__name__
)
def test_a_model_that_cannot_is_stood_in_for(talk: Talk, sim: Simulator, fault: Any) -> None:
    """The question is recorded once, the next model answers it, and the reply says what happened."""
    chat = talk(model=HOME, fallback=[OTHER])
    sim.faults.fail_next(fault)
    reply = chat.send("Where is crate 9?")
    assert asked_models(sim) == [HOME, OTHER]
    assert [(turn.role, turn.state, turn.model) for turn in chat.history()] == [
        ("user", "answered", ""),
        ("assistant", "answered", OTHER),
    ]
    assert f"{HOME} was not available" in reply.notes[0]
    assert f"{OTHER} answers beside {HOME}" in reply.notes[1]
    assert chat.model == HOME


@pytest.mark.parametrize(
    "fault", [PromptTooLong(), BillingError(), SpendLimitReached()], ids=lambda f: type(f).__name__
)
def test_what_another_model_cannot_mend_is_raised(talk: Talk, sim: Simulator, fault: Any) -> None:
    """A refused request, an unpaid bill and a cap on spending are nobody else's to answer."""
    chat = talk(model=HOME, fallback=[OTHER])
    sim.faults.fail_next(fault)
    with pytest.raises((RequestRejected, AccessDenied, Unavailable)):
        chat.send("Where is crate 9?")
    assert asked_models(sim) == [HOME]


def test_the_callers_own_mistakes_are_raised_at_once(talk: Talk, sim: Simulator) -> None:
    """What does not fit is not sent to somebody else behind the caller's back."""
    chat = talk(model=HOME, fallback=[OTHER], budget=1_000)
    with pytest.raises(BudgetExceeded):
        chat.send(LONG)
    assert asked_models(sim) == []
    assert chat.history() == []


def test_when_all_fail_the_turn_is_pending(talk: Talk, sim: Simulator) -> None:
    """Every model is tried once, in order; the last failure is raised with what was tried."""
    chat = talk(model=HOME, fallback=[OTHER, THIRD])
    sim.faults.fail_next(Overloaded(), times=3)
    with pytest.raises(Unavailable) as caught:
        chat.send("Where is crate 9?")
    assert asked_models(sim) == [HOME, OTHER, THIRD]
    assert [turn.state for turn in chat.history()] == ["pending"]
    assert len(caught.value.notes) == 3
    assert chat.retry().text


def test_the_first_models_epoch_goes_on_with_what_was_said_meanwhile(talk: Talk, sim: Simulator) -> None:
    """Its prefix is the one it read before, byte for byte, so its cache still serves and its thinking is valid."""
    chat = talk(model=HOME, fallback=[OTHER], system=LONG)
    chat.send("Where is crate 9?")
    sim.faults.fail_next(Overloaded())
    chat.send("And crate 10?")
    first, side = sim.messages[0].body, sim.messages[-1].body
    assert thoughts(side) == 0
    sim.clock.advance(61)
    reply = chat.send("And crate 11?")
    back = sim.messages[-1].body
    assert asked_models(sim) == [HOME, HOME, OTHER, HOME]
    assert back["system"] == first["system"]
    assert [m["role"] for m in back["messages"]] == ["user", "assistant"] * 2 + ["user"]
    assert thoughts(back) == thoughts({"messages": back["messages"][:2]}) == 1  # its own alone
    assert reply.usage.read > 0
    assert not reply.plan.cut
    assert "is asked again, and goes on from what it was sent before" in reply.notes[0]
    assert "1 replies of other models sent without their thinking." in reply.plan.explain()
    assert all(chat.request(number).intact for number in range(1, 5))


def test_a_side_epoch_says_why(talk: Talk, sim: Simulator) -> None:
    """Plan and record name the model it stands beside."""
    chat = talk(model=HOME, fallback=[OTHER])
    chat.send("Where is crate 9?")
    sim.faults.fail_next(Overloaded())
    reply = chat.send("And crate 10?")
    assert f"{OTHER} is asked beside {HOME}" in reply.plan.explain()
    assert f"{OTHER} is asked beside {HOME}" in chat.request(3).request.why["reason"]


def test_a_model_that_failed_rests_for_everybody(talk: Talk, sim: Simulator) -> None:
    """No conversation of the database asks it while it rests; then each goes back to it."""
    one, two = (talk(id=name, model=HOME, fallback=[OTHER]) for name in "ab")
    sim.faults.fail_next(Overloaded())
    one.send("Where is crate 9?")
    two.send("Where is crate 10?")
    one.send("And crate 11?")
    assert asked_models(sim) == [HOME, OTHER, OTHER, OTHER]
    sim.clock.advance(61)
    two.send("And crate 12?")
    one.send("And crate 13?")
    assert asked_models(sim)[4:] == [HOME, HOME]


def test_the_model_in_force_is_remembered_across_restarts(talk: Talk, sim: Simulator) -> None:
    """Whoever answered last, a conversation opened again asks the model it was made with."""
    with talk(model=HOME, fallback=[OTHER]) as chat:
        sim.faults.fail_next(Overloaded())
        chat.send("Where is crate 9?")
    assert talk(model=None).model == HOME
    assert talk(model=None, id="a").fork().model == HOME


def test_a_switch_that_costs_too_much_is_not_made(talk: Talk, sim: Simulator) -> None:
    """The first model's cache is warm and the other's is not: the failure is raised, with the price in the way."""
    chat = talk(model=HOME, fallback=Fallback(models=(OTHER,), most=0.0), system=LONG)
    chat.send("Where is crate 9?")
    sim.faults.fail_next(Overloaded())
    with pytest.raises(Unavailable) as caught:
        chat.send("And crate 10?")
    assert "more, over $" in caught.value.notes[1]
    assert asked_models(sim) == [HOME, HOME]


def test_going_back_waits_while_it_costs_too_much(talk: Talk, sim: Simulator) -> None:
    """The side epoch goes on while its cache is warm and the first one's is not; then the first model is asked."""
    chat = talk(model=HOME, fallback=Fallback(models=(OTHER,), most=0.0, rest=10), system=LONG)
    sim.faults.fail_next(Overloaded())
    chat.send("Where is crate 9?")  # cold there and here, and cheaper there
    sim.clock.advance(60)
    chat.send("And crate 10?")
    assert asked_models(sim)[-1] == OTHER
    sim.clock.advance(4_000)
    chat.send("And crate 11?")
    assert asked_models(sim)[-1] == HOME


def test_options_that_the_other_model_refuses_give_way(talk: Talk, sim: Simulator) -> None:
    """Effort, modes of thinking and forced tools are left out where they are unknown, and the reply says so."""
    chat = talk(model=HOME, fallback=[THIRD], max_tokens=100_000)
    sim.faults.fail_next(Overloaded())
    with chat.stream("Hello.", output_config={"effort": "high"}, thinking={"type": "adaptive"}) as stream:
        reply = stream.until_done()
    body = sim.messages[-1].body
    assert "thinking" not in body
    assert "output_config" not in body
    assert body["max_tokens"] == 64_000
    assert sum("sent without" in note for note in reply.notes) == 2


@pytest.mark.parametrize("other", ["claude-opus-4-6", "claude-opus-4-8"])
def test_a_budget_for_thinking_becomes_adaptive_thinking(talk: Talk, sim: Simulator, other: str) -> None:
    """A stand-in that thinks adaptively still thinks: a manual budget is refused there, or deprecated."""
    manual = {"type": "enabled", "budget_tokens": 2_048, "display": "omitted"}
    chat = talk(model=THIRD, thinking=manual, max_tokens=4_000, fallback=[other])
    sim.faults.fail_next(Overloaded())
    reply = chat.send("Where is crate 9?")
    assert asked_models(sim) == [THIRD, other]
    assert sim.messages[0].body["thinking"] == manual
    assert sim.messages[1].body["thinking"] == {"type": "adaptive", "display": "omitted"}
    assert f"thinking is not for {other} as asked: sent as adaptive" in reply.notes


def test_instructions_take_the_other_models_form(talk: Talk, sim: Simulator) -> None:
    """A model without system turns gets tagged text; coming back, they are turns again."""
    chat = talk(model=HOME, fallback=[THIRD])
    chat.send("Hello.")
    chat.instruct("Be brief.")
    sim.faults.fail_next(Overloaded())
    chat.send("Where is crate 9?")
    assert "<system_instruction>" in str(sim.messages[-1].body)
    sim.clock.advance(61)
    chat.send("And crate 10?")
    assert [m["role"] for m in sim.messages[-1].body["messages"]].count("system") == 1


def test_a_model_too_small_for_the_view_is_passed_over(talk: Talk, sim: Simulator) -> None:
    """What it cannot take, images too many for it, leads on to the next one."""
    pixel = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}
    chat = talk(model=HOME, fallback=[THIRD, OTHER], budget=900_000)
    sim.faults.fail_next(Overloaded())
    reply = chat.send([{"type": "text", "text": "What is on these?"}, *[pixel] * 101])
    assert asked_models(sim) == [HOME, OTHER]
    assert f"{THIRD} cannot take it" in str(reply.notes)


@pytest.mark.parametrize(("home", "other"), [(HOME, OTHER), (OTHER, HOME), (HOME, THIRD), (THIRD, HOME)])
def test_a_tool_run_falls_back_in_its_middle_and_is_finished_there(
    talk: Talk, sim: Simulator, home: str, other: str
) -> None:
    """The calls stay answered, the run goes on with the model that took over, and the first one comes back after it."""
    chat = talk(model=home, fallback=[other], tools=[LOOKUP])
    sim.script([Reply(content=[CALL], thinking="Hm."), Reply(content=[{**CALL, "id": "toolu_2"}], thinking="Hm.")])
    first = chat.send("What is a lamp?")
    assert first.tool_calls
    sim.faults.fail_next(Overloaded())
    second = chat.submit({"toolu_1": "A light."})
    assert second.tool_calls
    sim.clock.advance(61)
    assert chat.submit({"toolu_2": "A light."}).text
    assert asked_models(sim) == [home, home, other, other]
    assert chat.send("Thanks.").text
    assert asked_models(sim)[-1] == home
    assert all(attempt.status in (200, 529) for attempt in sim.messages)
    assert all(chat.request(number).intact for number in range(1, 6))


def test_a_stream_that_never_began_comes_from_the_other_model(talk: Talk, sim: Simulator) -> None:
    """The reader sees one reply."""
    chat = talk(model=HOME, fallback=[OTHER])
    sim.faults.fail_next(Overloaded())
    with chat.stream("Where is crate 9?") as stream:
        text = "".join(stream)
    assert text == stream.reply.text
    assert len(stream.reply.notes) == 2


def test_async_falls_back_too(path: Path, sim: Simulator) -> None:
    """The same with `await`."""

    async def main() -> list[str]:
        async with (
            sim.async_client(max_retries=0) as client,
            AsyncConversation(path, model=HOME, fallback=[OTHER], client=client, clock=sim.clock.now) as chat,
        ):
            sim.faults.fail_next(Overloaded())
            return list((await chat.send("Where is crate 9?")).notes)

    assert f"{OTHER} answers beside" in asyncio.run(main())[1]


# ---- routers --------------------------------------------------------------------------------------


def test_a_router_chooses_by_size_kind_and_tier(talk: Talk, sim: Simulator) -> None:
    """The first rule that holds names the model; each model's epoch goes on when it is asked again."""
    rules = [
        Rule(model=THIRD, tiers=("free",)),
        Rule(model=OTHER, characters=20, images=False),
    ]
    chat = talk(model=HOME, router=Router(rules), system=LONG)
    assert "$" in chat.send("Hello.").notes[0]
    chat.send("A long question about every one of the crates.")
    reply = chat.send("And now?")
    assert asked_models(sim) == [OTHER, HOME, OTHER]
    assert not reply.plan.cut
    assert reply.usage.read > 0
    assert chat.plan("Yes?").sent.model == OTHER
    assert all(chat.request(number).intact for number in range(1, 4))
    talk(id="b", model=HOME, router=Router(rules), tier="free").send("A long question about every crate.")
    assert asked_models(sim)[-1] == THIRD


def test_any_callable_routes(talk: Talk, sim: Simulator) -> None:
    """It sees the request and names one model, or several to be tried in order."""
    seen: list[Asked] = []

    def router(asked: Asked) -> list[str]:
        seen.append(asked)
        return [THIRD, OTHER]

    chat = talk(model=HOME, router=router, fallback=[OTHER], tools=[LOOKUP])
    sim.faults.fail_next(Overloaded())
    chat.send("Hello.")
    assert asked_models(sim) == [THIRD, OTHER]
    asked = seen[0]
    assert [option.model for option in asked.options] == [HOME, OTHER]
    assert asked.tools
    assert not asked.running
    assert asked.characters == 6
    assert all(option.dollars for option in asked.options)


def test_a_router_is_told_what_is_left_under_a_ceiling(talk: Talk, sim: Simulator) -> None:
    """The tightest one of dollars; as it runs low, a rule may turn to the cheaper model."""
    rules = Router([Rule(model=THIRD, remaining=0.98)])
    ceilings = [Ceiling(dollars=1.0, period="ever"), Ceiling(dollars=5.0), Ceiling(tokens=10**9)]
    chat = talk(model=HOME, router=rules, ceilings=ceilings, system=LONG)
    for _ in range(6):
        chat.send("Where is crate 9? " + "It was blue. " * 400)
    models = asked_models(sim)
    assert models == sorted(models, key=[HOME, THIRD].index)
    assert set(models) == {HOME, THIRD}


def test_a_router_that_names_nobody_known_is_an_error(talk: Talk, sim: Simulator) -> None:
    """Before anything is sent or written."""
    chat = talk(model=HOME, router=lambda _: "claude-sonet-5-5")
    with pytest.raises(UnknownModel):
        chat.send("Hello.")
    assert chat.history() == []
    assert asked_models(sim) == []


@pytest.mark.parametrize(
    "given", [{"fallback": "claude-opus-5-5"}, {"fallback": [3]}, {"router": "x"}, {"fallback": 5}], ids=str
)
def test_fallback_and_router_are_checked(talk: Talk, given: dict[str, Any]) -> None:
    """Anything but a list of models, or a callable, is refused when the conversation is made."""
    with pytest.raises(InvalidOption):
        talk(**given)
    with pytest.raises(UnknownModel):
        talk(fallback=["claude-sonet-5-5"])


@pytest.mark.parametrize("wrong", [{"rest": -1}, {"most": -0.1}, {"rest": float("nan")}], ids=str)
def test_a_fallback_has_sensible_numbers(wrong: dict[str, Any]) -> None:
    """Seconds and dollars, neither below zero."""
    with pytest.raises(InvalidOption):
        Fallback(models=(OTHER,), **wrong)


def _asked(**changes: Any) -> Asked:
    usual: dict[str, Any] = {
        "options": (
            Option(model=HOME, dollars=0.03, prompt=5_000),
            Option(model=OTHER, dollars=0.01, prompt=5_000, warm=4_000),
        ),
        "present": OTHER, "characters": 10, "images": 0, "tools": False, "running": False, "stream": False,
        "tier": "", "remaining": None,
    }  # fmt: skip
    return Asked(**{**usual, **changes})


def test_a_switch_must_be_worth_its_price() -> None:
    """Beyond `most` dollars more than the present model's warm cache, the present model goes on."""
    rules = [Rule(model=HOME)]
    assert Router(rules)(_asked())[0] == HOME
    assert Router(rules, most=0.05)(_asked())[0] == HOME
    assert Router(rules, most=0.01)(_asked())[0] == OTHER
    assert Router(rules)(_asked(running=True))[0] == OTHER


@given(
    st.builds(
        Rule,
        model=st.just(OTHER),
        prompt=st.none() | st.integers(0, 10_000),
        characters=st.none() | st.integers(0, 20),
        images=st.none() | st.booleans(),
        tools=st.none() | st.booleans(),
        tiers=st.sampled_from([(), ("free",), ("paid", "free")]),
        remaining=st.none() | st.floats(0, 2),
    ),
    st.sampled_from(["", "free", "paid"]),
    st.none() | st.floats(0, 2),
    st.integers(0, 3),
)
def test_a_rule_holds_only_where_all_of_it_does(rule: Rule, tier: str, remaining: float | None, images: int) -> None:
    """Leaving any one condition out never makes a rule hold less often."""
    asked = _asked(tier=tier, remaining=remaining, images=images)
    if rule.holds(asked):
        for name, nothing in {"prompt": None, "characters": None, "images": None, "tools": None, "tiers": ()}.items():
            changed = {n: getattr(rule, n) for n in ("model", "prompt", "characters", "images", "tools", "tiers")}
            assert Rule(**{**changed, name: nothing}).holds(asked)


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from([1, 61, 301, 4_000])), min_size=1, max_size=7))
def test_whatever_fails_the_record_stays_legal_and_rebuilt(events: list[tuple[int, int]]) -> None:
    """Any run of failures over three models: each send is answered or pending, nothing refused, all rebuilt."""
    sim = Simulator()
    with (
        sim.client(max_retries=0) as client,
        Conversation(
            MemoryStore(), client=client, clock=sim.clock.now, model=HOME, fallback=[OTHER, THIRD], budget=3_000,
            system="You keep the harbour's books. " * 30,
        ) as chat,
    ):  # fmt: skip
        for number, (fails, gap) in enumerate(events):
            if fails:
                sim.faults.fail_next(Overloaded(), times=fails)
            try:
                chat.send(f"Where is crate {number}? " + "It was blue. " * 40)
            except Unavailable:
                assert chat.history()[-1].state == "pending"
            sim.faults.calm()
            sim.clock.advance(gap)
        assert {attempt.status for attempt in sim.messages} <= {200, 529}
        requests = chat._store.branches.head(chat._chat().conversation).requests
        assert all(chat.request(number).intact for number in range(1, requests + 1))


def test_a_refusal_goes_to_the_fallback(talk: Talk, sim: Simulator) -> None:
    """The next model is asked the same; both are paid for, the refused question is out of view, the notes say so."""
    chat = talk(model=HOME, fallback=[OTHER])
    sim.fail_next(Refusal(partial="I"))
    sim.script(["-", "In the harbour."])
    reply = chat.send("Where is crate 9?")
    assert (reply.text, reply.refused, asked_models(sim)) == ("In the harbour.", False, [HOME, OTHER])
    assert reply.cost == pytest.approx(sum(attempt.cost for attempt in sim.messages))
    assert f"{HOME} refused to answer" in reply.notes
    assert [turn.state for turn in chat.history()] == ["withdrawn", "withdrawn", "answered", "answered"]
    assert chat.send("And crate 10?").stop_reason == "end_turn"


def test_where_all_refuse_the_last_refusal_is_the_reply(talk: Talk, sim: Simulator) -> None:
    """Nothing is raised; without a fallback nothing changes."""
    sim.fail_next(Refusal(), times=3)
    reply = talk(model=HOME, fallback=[OTHER]).send("Where is crate 9?")
    assert (reply.refused, len(reply.steps), asked_models(sim)) == (True, 2, [HOME, OTHER])
    assert talk(model=HOME, id="b").send("Where is crate 9?").refused
    assert len(sim.messages) == 3


def test_a_refusal_stands_where_the_next_model_is_too_dear(talk: Talk, sim: Simulator) -> None:
    """The reply is the refusal, with the price in the way."""
    chat = talk(model=OTHER, fallback=Fallback(models=(HOME,), most=0.0), system=LONG)
    chat.send("Where is crate 9?")
    sim.fail_next(Refusal())
    reply = chat.send("And crate 10?")
    assert (reply.refused, asked_models(sim)) == (True, [OTHER, OTHER])
    assert "more, over $" in reply.notes[1]


def test_a_question_that_a_limited_key_left_pending_is_said_once(talk: Talk, sim: Simulator) -> None:
    """Where it cannot go with the next key, the next model is sent what is pending, and not the same again."""

    class Narrow:
        def decide(self, situation: Situation) -> Decision:
            if situation.card.id == OTHER and OTHER in asked_models(sim):
                raise BudgetExceeded("it does not fit any more", budget=0, needed=1, missing=1, largest="all")
            return Decision(first_exchange=situation.first_exchange or 0, rule="stay", reason="")

    keys = [Key("one", "k1"), Key("two", "k2")]
    chat = talk(model=HOME, fallback=[OTHER, THIRD], keys=keys, strategy=Narrow())
    sim.fail_next(Refusal())
    sim.fail_next(RateLimited())
    chat.send("Where is crate 9?")
    assert asked_models(sim) == [HOME, OTHER, THIRD]
    said = [turn.state for turn in chat.history() if turn.role == "user"]
    assert said == ["withdrawn", "answered"]


def test_a_refused_step_of_a_run_goes_to_the_fallback(talk: Talk, sim: Simulator) -> None:
    """The results are said again to the next model, and nothing is called twice."""
    called: list[str] = []

    def lookup(word: str) -> str:
        """Look a word up."""
        called.append(word)
        return "light"

    sim.script([[CALL], "-", "A light."])
    sim.fail_at(2, Refusal())
    reply = talk(model=HOME, fallback=[OTHER]).run("What is a lamp?", tools=[lookup])
    assert (reply.text, called, asked_models(sim)) == ("A light.", ["lamp"], [HOME, HOME, OTHER])


@pytest.mark.parametrize("how", ["silent", "error", "lost"])
def test_a_stream_that_breaks_before_any_text_goes_to_the_fallback(talk: Talk, sim: Simulator, how: Any) -> None:
    """Thoughts alone cannot be kept: the next model is asked. With text, what came is recorded as interrupted."""
    chat = talk(model=HOME, fallback=[OTHER])
    sim.fail_next(CutStream(events=4, how=how))
    with chat.stream("Where is crate 9?") as stream:
        reply = stream.until_done()
    assert asked_models(sim) == [HOME, OTHER]
    assert any("broke off before any text" in note for note in reply.notes)
    assert chat.history()[0].state == "answered"
    sim.fail_next(CutStream(events=12, how=how))
    sim.script([Reply(content="In the harbour, by the third crane, under a tarpaulin. " * 9, thinking="")])
    with pytest.raises(ReplyInterrupted) as broken, talk(model=HOME, fallback=[OTHER]).stream("Where?") as stream:
        stream.until_done()
    assert (broken.value.state, bool(broken.value.partial)) == ("interrupted", True)
    assert chat.send("Go on.").stop_reason == "end_turn"
