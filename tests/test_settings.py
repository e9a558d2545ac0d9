"""What a conversation is told: misspelt names name the nearest, wrong values are refused when it is built."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from anthropic import Anthropic, AsyncAnthropic

import sash
from sash import AsyncConversation, Conversation, Economic, Recall, SlidingWindow, Summarised
from sash.claude.keys import Key
from sash.conversation.session import SETTINGS
from sash.errors import CallerError, InvalidContent, InvalidOption, RequestRejected
from sash.limits import Alerts, BreakerPolicy, Ceiling, Limits, MemoPolicy, RetryPolicy
from sash.planning.routing import Fallback, Router, Rule
from sash.simulator import Simulator


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: Conversation(client="simulator", bugdet=3), "did you mean 'budget'?"),  # type: ignore[call-arg]
        (lambda: AsyncConversation(client="simulator", strategie=1), "did you mean 'strategy'?"),  # type: ignore[call-arg]
        (lambda: Conversation(clent="simulator"), "did you mean 'client'?"),  # type: ignore[call-arg]
        (lambda: Conversation(client="simulator", metdata={}), "did you mean 'metadata'?"),  # type: ignore[call-arg]
        (lambda: Conversation(client="simulator", token="a"), "send(..., token=)"),  # type: ignore[call-arg]
        (lambda: Conversation(client="simulator", endpoint=False), "is called count_online"),  # type: ignore[call-arg]
        (lambda: Conversation(client="simulator", patience=5), "is called max_wait"),  # type: ignore[call-arg]
        (lambda: AsyncConversation(client="simulator", duplicates=5), "called dedupe_window"),  # type: ignore[call-arg]
        (lambda: Recall(tokns=3), "did you mean 'tokens'?"),  # type: ignore[call-arg]
        (lambda: Summarised(must_kep=True), "did you mean 'must_keep'?"),  # type: ignore[call-arg]
        (lambda: SlidingWindow(turn=3), "did you mean 'turns'?"),  # type: ignore[call-arg]
        (lambda: Ceiling(dolars=3.0), "did you mean 'dollars'?"),  # type: ignore[call-arg]
        (lambda: Limits(concurency=3), "did you mean 'concurrency'?"),  # type: ignore[call-arg]
        (lambda: Fallback(model=["a"]), "did you mean 'models'?"),  # type: ignore[call-arg]
        (lambda: sash.ModelCard(idd="a"), "did you mean 'id'?"),  # type: ignore[call-arg]
        (lambda: Everything_(limit=1), "Everything has no setting 'limit'"),
    ],
)  # fmt: skip
def test_a_misspelt_setting_names_the_nearest(call: Callable[[], Any], said: str) -> None:
    """The conversation's own, those of a request, and those of every value that is built by hand."""
    with pytest.raises(InvalidOption) as raised:
        call()
    assert said in str(raised.value)


Everything_: Any = sash.Everything


@pytest.mark.parametrize(
    ("option", "said"),
    [("fresh", "it is called bypass_memo"), ("patience", "it is called max_wait"),
     ("strem", "did you mean 'stream'? That cannot be given here: call chat.stream"),
     ("budget", "Conversation(budget=...)"),
     ("bugdet", "did you mean 'budget'? That cannot be given here"), ("modle", "did you mean 'model'?"),
     ("max_token", "did you mean 'max_tokens'?"), ("tokn", "did you mean 'token'?"),
     ("sytem", "did you mean 'system'?"),
     ("max_step", "did you mean 'max_steps'?"), ("thinkng", "did you mean 'thinking'?")],
)  # fmt: skip
def test_a_misspelt_option_of_a_call_names_the_nearest(option: str, said: str) -> None:
    """Where it belongs to another call or to the conversation, that is said; nothing is sent or recorded."""
    sim = Simulator()
    wrong: dict[str, Any] = {option: 3}

    async def awaited() -> None:
        async with AsyncConversation(client=sim.async_client()) as other:
            with pytest.raises(InvalidOption, match=f"(unknown )?option '{option}'"):
                await other.send("Hello.", **wrong)

    with Conversation(client=sim.client()) as chat:
        for call in (chat.send, chat.plan, chat.count):
            with pytest.raises(InvalidOption) as raised:
                call("Hello.", **wrong)
            assert said in str(raised.value)
        assert chat.history() == []
    asyncio.run(awaited())
    assert sim.log == []


def test_recall_by_hand_names_the_nearest_setting() -> None:
    """`chat.recall(query, tokns=)` is refused like `Recall(tokns=)`."""
    with Conversation(client="simulator") as chat, pytest.raises(InvalidOption, match="did you mean 'tokens'"):
        chat.recall("order", tokns=100)


def test_a_secret_is_not_shown() -> None:
    """Neither in the text nor in the facts of an error about a key."""
    any_key: Any = Key
    for given in ({"secrt": "sk-hidden"}, {"secret": b"sk-hidden"}):
        with pytest.raises(InvalidOption) as raised:
            any_key("a", **given)
        assert "hidden" not in str(raised.value) and "hidden" not in repr(raised.value.facts)


class Undecided:
    """No strategy."""


class Deciding:
    """A strategy of one's own."""

    def decide(self, situation: Any) -> Any:
        return Economic().decide(situation)


CARD = sash.card("claude-haiku-4-5")
WRONG: list[tuple[str, Any]] = [
    ("store", 5), ("store", ""), ("store", sash.SqliteStore), ("store", ["a.db"]), ("store", "\ud800"),
    ("id", 3), ("id", ""),
    ("model", 5), ("model", ""), ("model", ["claude-sonnet-5-5"]), ("system", 5), ("system", {"type": "text"}),
    ("system", b"You."), ("system", False), ("tools", "look"), ("tools", {"name": "look"}), ("tools", print),
    ("tools", 5),
    ("budget", "many"), ("budget", 0), ("budget", 1e4), ("budget", True), ("keep", -1), ("keep", "all"),
    ("strategy", "sliding"), ("strategy", SlidingWindow), ("strategy", Undecided()), ("strategy", 5),
    ("memory", "much"), ("memory", None), ("memory", 2), ("user", ""), ("user", 3),
    ("summarise", 1.5), ("summarise", Summarised), ("recall", 500), ("recall", "yes"),
    ("recall", Recall), ("recall", {"tokens": 5}), ("max_tokens", 0), ("max_tokens", None), ("max_tokens", 10**6),
    ("cache", "2h"), ("cache", True), ("cache", 300), ("namespace", None), ("namespace", 5), ("counter", "gpt"),
    ("counter", None), ("count_online", "no"), ("count_online", None), ("busy", "no"), ("busy", True),
    ("dedupe_window", "5"), ("dedupe_window", -1), ("max_result", 0), ("max_result", "much"), ("background", "there"),
    ("background", 5),
    ("fallback", "claude-opus-5-5"), ("fallback", 5), ("fallback", [5]), ("fallback", Fallback),
    ("router", "cheap"), ("router", Router), ("router", Rule(model="claude-opus-5-5")), ("tier", 5), ("keys", "sk-1"),
    ("keys", ["sk-1"]), ("keys", []), ("card", "claude-sonnet-5-5"), ("card", sash.ModelCard), ("clock", 5.0),
    ("clock", "now"), ("create", "yes"), ("breaker", 5), ("breaker", BreakerPolicy), ("ceilings", 5),
    ("ceilings", [0.5]), ("ceilings", Ceiling), ("limits", 50), ("limits", "huge"), ("limits", Limits), ("meter", 1),
    ("meter", Alerts), ("max_wait", "long"), ("max_wait", -1), ("priority", "high"), ("memo", 60), ("memo", MemoPolicy),
    ("retries", 3), ("retries", RetryPolicy), ("client", "simulater"), ("client", 5), ("client", range(2)),
    ("client", Anthropic), ("keep", 1.0), ("id", "\ud800"), ("namespace", "\ud800"), ("clock", len),
    ("router", globals),
    ("timeout", "x"), ("timeout", 0), ("timeout", True), ("timeout", ("a",)), ("metadata", {"user": 1}),
    ("metadata", {"user_id": 1}), ("metadata", "me"), ("output_config", {"efort": "low"}), ("service_tier", "x"),
    ("output_config", {"effort": "lo"}), ("service_tier", 5), ("speed", "slow"), ("stop_sequences", [7]),
    ("stop_sequences", "x"), ("thinking", {"type": "adaptiv"}), ("thinking", {"user": 1}), ("thinking", "high"),
    ("thinking", {"type": "enabled", "budget_tokens": "x"}), ("tool_choice", {}), ("tool_choice", {"type": "tool"}),
    ("cache_control", {}), ("container", 5), ("inference_geo", 5), ("diagnostics", {"user": 1}), ("betas", "x"),
    ("extra_headers", {"a": 1}), ("extra_headers", "a"), ("extra_body", [1]), ("extra_query", "a"),
    ("workspace_id", 5), ("user_profile_id", []),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), WRONG, ids=lambda value: f"{value!r:.30}")
def test_a_wrong_setting_is_refused_when_the_conversation_is_built(name: str, value: Any, tmp_path: Path) -> None:
    """Sync and async, by an error that names the setting, before a file is made."""
    fixed: dict[str, Any] = {"client": "simulator", "model": "claude-sonnet-5-5"}
    if name == "card":
        del fixed["model"]
    for make in (Conversation, AsyncConversation):
        given = {**fixed, name: value}
        store = given.pop("store", tmp_path / "no.db")
        with pytest.raises(CallerError) as raised:
            make(store, **given)
        assert name in f"{raised.value} {raised.value.facts.get('option')}"
    assert not (tmp_path / "no.db").exists()


def test_every_setting_is_tried() -> None:
    """No parameter of a conversation goes unchecked."""
    assert {name for name, _ in WRONG} >= SETTINGS


def test_clients_of_the_other_kind_are_refused_when_the_conversation_is_built() -> None:
    """A client that awaits for one that does not, and the other way round."""
    with pytest.raises(InvalidOption, match="use AsyncConversation"):
        Conversation(client=AsyncAnthropic(api_key="x"))
    with pytest.raises(InvalidOption, match="use Conversation"):
        AsyncConversation(client=Anthropic(api_key="x"))


def test_settings_that_contradict_one_another_are_refused(tmp_path: Path) -> None:
    """Two models, more kept than fits, a longer reply than the model gives (also the model of the record)."""
    for given in ({"model": "claude-opus-5-5", "card": CARD}, {"budget": 100, "keep": 200},
                  {"model": "claude-haiku-4-5", "max_tokens": 64_001}):  # fmt: skip
        with pytest.raises(InvalidOption):
            Conversation(client="simulator", **given)
    with Conversation(
        tmp_path / "a.db", id="a", client="simulator", model="claude-haiku-4-5", max_tokens=64_000
    ) as chat:
        chat.send("Hello.")
    with pytest.raises(InvalidOption, match="claude-haiku-4-5 replies with at most 64,000"):
        Conversation(tmp_path / "a.db", id="a", client="simulator", max_tokens=64_001)


@pytest.mark.parametrize(
    ("name", "value"),
    [("strategy", "x"), ("strategy", SlidingWindow), ("strategy", None), ("budget", 0), ("budget", "1"), ("keep", -1),
     ("max_tokens", 0), ("recalls", 5), ("recalls", Recall)],
)  # fmt: skip
def test_a_wrong_setting_set_later_is_refused_at_once(name: str, value: Any) -> None:
    """What was in force stays in force."""
    with Conversation(client="simulator") as chat:
        before = getattr(chat, name)
        with pytest.raises(InvalidOption, match=name):
            setattr(chat, name, value)
        assert getattr(chat, name) == before
        chat.send("Hello.")


def test_settings_may_be_set_at_any_time() -> None:
    """Right ones take effect with the next request; a budget below `keep` keeps what fits."""
    with Conversation(client="simulator") as chat:
        chat.strategy, chat.budget, chat.recalls = Deciding(), 2_000, Recall(tokens=100)
        assert chat.send("Hello.").plan.situation.budget == 2_000


@pytest.mark.parametrize(
    "make",
    [
        lambda: SlidingWindow(tokens="many"),  # type: ignore[arg-type]
        lambda: sash.SteppedWindow(keep="few", high=10), lambda: Economic(per_cut="much"),  # type: ignore[arg-type]
        lambda: Summarised(inner="sliding"), lambda: Summarised(tokens="few"),  # type: ignore[arg-type]
        lambda: sash.ClearedTools(inner=SlidingWindow),  # type: ignore[arg-type]
        lambda: sash.ServerCompaction(inner=5), lambda: sash.Marks(tail="2h"), lambda: Ceiling(dollars="1"),  # type: ignore[arg-type]
        lambda: Ceiling(dollars=1.0, per="team"), lambda: Limits(requests="50"), lambda: Rule(model=5),  # type: ignore[arg-type]
        lambda: sash.ModelCard(id="a", window="big", max_output=1, prices=(), cache_minimum=0),  # type: ignore[arg-type]
        lambda: Recall(tokens=True),
        lambda: Fallback(models=["a"], rest="long"), lambda: BreakerPolicy(share="half"),  # type: ignore[arg-type]
    ],
)  # fmt: skip
def test_values_built_by_hand_refuse_wrong_kinds(make: Callable[[], Any]) -> None:
    """A text for a number and the like is an error that names the setting, not a TypeError of a later comparison."""
    with pytest.raises(InvalidOption):
        make()


@pytest.mark.parametrize(
    "option",
    [{"thinking": "on"}, {"metadata": "ann"}, {"output_config": "high"}, {"tool_choice": "auto"},
     {"cache_control": True},
     {"stop_sequences": "END"}, {"betas": "compact-2026-09-04"}, {"extra_headers": "x: y"}, {"extra_body": [1]}],
    ids=str,
)  # fmt: skip
def test_options_of_another_shape_are_refused(option: dict[str, Any]) -> None:
    """When the conversation is built, and by every call, before anything is sent."""
    name = next(iter(option))
    with pytest.raises(InvalidOption, match=f"{name}=.*: give a"):
        Conversation(client="simulator", **option)
    with Conversation(client="simulator") as chat:
        for call in (chat.send, chat.plan):
            with pytest.raises(InvalidOption, match=f"{name}=.*: give a"):
                call("Hello.", **option)
        assert chat.history() == []


def test_what_is_no_store_is_not_opened() -> None:
    """`sash.open` takes what a conversation takes."""
    wrongs: tuple[Any, ...] = (5, "", sash.SqliteStore)
    for wrong in wrongs:
        with pytest.raises(InvalidOption, match="store="):
            sash.open(wrong)


SOON = pytest.mark.parametrize(
    ("option", "call"),
    [
        ("timeout", lambda chat: chat.send("a", timeout="x")),
        ("bypass_memo", lambda chat: chat.send("a", bypass_memo="yes")),
        ("token", lambda chat: chat.send("a", token=5)),
        ("metadata", lambda chat: chat.send("a", metadata={"user": 1})),
        ("output_config", lambda chat: chat.plan("a", output_config={"efort": "low"})),
        ("service_tier", lambda chat: chat.count("a", service_tier="x")),
        ("exact", lambda chat: chat.count("a", exact="x")),
        ("repair", lambda chat: chat.check(repair="x")),
        ("limit", lambda chat: chat.history(limit="a")),
        ("limit", lambda chat: chat.history(limit=-1)),
        ("limit", lambda chat: chat.history(limit=True)),
        ("after", lambda chat: chat.history(after=None)),
        ("number", lambda chat: chat.request("1")),
        ("call", lambda chat: chat.tool_result(5)),
        ("turn", lambda chat: chat.edit("1", "a")),
        ("turn", lambda chat: chat.pin(None)),
        ("turn", lambda chat: chat.redact(1.5)),
        ("reason", lambda chat: chat.redact(1, reason=5)),
        ("turn", lambda chat: chat.fork("1")),
        ("id", lambda chat: chat.fork(id=5)),
        ("title", lambda chat: chat.describe(title=5)),
        ("metadata", lambda chat: chat.describe(metadata=["a"])),
        ("max_steps", lambda chat: chat.run("a", tools=[look], max_steps=0)),
        ("max_steps", lambda chat: chat.run("a", tools=[look], max_steps=None)),
        ("on_event", lambda chat: chat.run("a", tools=[look], on_event="x")),
        ("on_event", lambda chat: chat.run("a", tools=[look], on_event=globals)),
    ],
)


def look(word: str) -> str:
    """Look it up."""
    return word


@SOON
def test_a_wrong_argument_of_a_call_is_refused_before_anything_is_sent(option: str, call: Callable[[Any], Any]) -> None:
    """By an error that names it, sync and async; the record stays as it was."""
    sim = Simulator()

    async def awaited() -> None:
        async with AsyncConversation(client=sim.async_client()) as other:
            with pytest.raises(InvalidOption) as raised:
                await call(other)
            assert raised.value.facts["option"] == option
            assert await other.history() == []

    with Conversation(client=sim.client()) as chat:
        with pytest.raises(InvalidOption) as raised:
            call(chat)
        assert raised.value.facts["option"] == option and option in str(raised.value)
        assert chat.history() == []
    asyncio.run(awaited())
    assert sim.log == []


def test_a_misspelt_key_of_an_option_names_the_nearest() -> None:
    """By the types of the installed SDK; what it does not know yet may be sent all the same, beside betas too."""
    with Conversation(client="simulator") as chat:
        with pytest.raises(InvalidOption, match=r"output_config\.efort='low'.*did you mean 'effort'.*extra_body"):
            chat.send("a", output_config={"efort": "low"})
        for given in ({"extra_body": {"output_config": {"vigour": 3}}}, {"betas": ["a-1"], "metadata": {"vigour": 3}}):
            with pytest.raises(RequestRejected, match="vigour"):
                chat.send("a", **given)


def test_steps_of_a_run_are_counted_in_requests() -> None:
    """The error does not speak of tokens."""
    with Conversation(client="simulator") as chat, pytest.raises(InvalidOption, match="whole number of requests"):
        chat.run("a", tools=[look], max_steps=0)


@pytest.mark.parametrize("messages", [5, None, "a", {"role": "user", "content": "a"}])
def test_what_is_no_list_of_messages_is_refused(messages: Any) -> None:
    """`extend` names it and records nothing."""
    with Conversation(client="simulator") as chat:
        with pytest.raises(InvalidContent, match="give a list of messages"):
            chat.extend(messages)
        assert chat.history() == []


def seven(_: Any) -> Any:
    """Chooses no model."""
    return 7


def test_a_router_that_chooses_no_model_is_named() -> None:
    """What it answered is neither a model's id nor a list of them."""
    with Conversation(client="simulator", router=seven) as chat, pytest.raises(InvalidOption, match="router=7"):
        chat.send("a")


def test_nothing_need_be_kept() -> None:
    """With keep=0 the newest exchange is sent all the same."""
    with Conversation(client="simulator", keep=0) as chat:
        assert [chat.send(word).plan.turns[-1].blocks[0]["text"] for word in "abc"] == [*"abc"]


@pytest.mark.parametrize("said", ["nope", "image", "/", "a b/c"])
def test_what_is_no_media_type_is_refused_when_the_file_is_made(said: str) -> None:
    """`File` names it; a type with parameters is one."""
    with pytest.raises(InvalidContent, match="media_type="):
        sash.File(b"x", said)
    assert sash.File(b"x", "text/plain; charset=utf-8").data == b"x"
