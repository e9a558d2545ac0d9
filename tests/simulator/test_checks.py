"""The judge: what is refused, by which rule."""

from __future__ import annotations

import base64
import copy
import random
import struct
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sash.model.cards import card
from sash.simulator import CheckRules, Simulator
from sash.simulator.checks import BINDING_BETA, problems
from sash.simulator.prompt import SIGNATURE_MARK
from sash.simulator.wire import Answer, Call, dumps

from .samples import MODEL, OLD, TOOL, assistant, body, call, image, post, result, text, user

CONTEXT_BETA = "context-management-2025-06-27"
MARK = {"type": "ephemeral"}
THOUGHT = {"type": "thinking", "thinking": "Hm.", "signature": "s"}
ASKED = user("Where is my order?")
EXCHANGE = (ASKED, assistant(call()), user(result()))
TOOLS = {"tools": [TOOL]}


def rules(sent: Any, **options: Any) -> list[str]:
    """The names of the rules that a body breaks."""
    model = sent.get("model") if isinstance(sent, dict) else None
    return [problem.rule for problem in problems(sent, card(model or MODEL), **options)]


FINE: dict[str, dict[str, Any]] = {
    "one message": body(),
    "string content": body({"role": "user", "content": "Hi."}),
    "two user messages": body(user("a"), user("b")),
    "a finished exchange": body(*EXCHANGE, **TOOLS),
    "text behind results": body(ASKED, assistant(call()), user(result(), "and?"), **TOOLS),
    "two results": body(ASKED, assistant(call("a"), call("b")), user(result("b"), result("a")), **TOOLS),
    "results in two user messages": body(
        ASKED, assistant(call("a"), call("b")), user(result("a")), user(result("b")), **TOOLS
    ),
    "tool blocks without tools": body(*EXCHANGE),
    "four markers": body(user(*(text(str(n), "5m") for n in range(4)))),
    "1 h before 5 min": body(user(text("a", "1h"), text("b", "5m"))),
    "automatic marker": body(cache_control=MARK),
    "automatic marker on a marked block": body(user(text("a", "5m")), cache_control=MARK),
    "system after user": body(user("a"), {"role": "system", "content": "b"}),
    "system between": body(user("a"), {"role": "system", "content": "b"}, assistant("c"), user("d")),
    "prefill on an old model": body(user("a"), assistant("b"), model=OLD),
    "compaction first": body(assistant({"type": "compaction", "content": "c"}), user("a")),
    "picture": body(user(image(), "what is this?")),
    "no tools, choice none": body(tool_choice={"type": "none"}),
    "forced choice on an old model": body(**TOOLS, tool_choice={"type": "any"}, model=OLD),
    "manual thinking": body(thinking={"type": "enabled", "budget_tokens": 1024}, max_tokens=2000, model=OLD),
    "drop_block": body(thinking={"type": "adaptive", "block_binding": {"prefix_mismatch_behavior": "drop_block"}}),
    "pre-warming": body(max_tokens=0),
    "paused server tool": body(
        ASKED, assistant({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}})
    ),
}


@pytest.mark.parametrize("sent", FINE.values(), ids=FINE.keys())
def test_legal_requests_pass(sent: dict[str, Any]) -> None:
    """What the documentation allows breaks no rule."""
    assert rules(sent, betas=(BINDING_BETA, "compact-2026-01-12")) == []


FIVE = [text(str(n), "5m") for n in range(5)]
REFUSED: dict[str, tuple[Any, str]] = {
    "no body": ([], "body"),
    "unknown field": (body(temprature=1), "unknown_field"),
    "temperature": (body(temperature=1.0), "sampling"),
    "top_k at its default": (body(top_k=None), "sampling"),
    "no max_tokens": ({k: v for k, v in body().items() if k != "max_tokens"}, "missing_field"),
    "negative max_tokens": (body(max_tokens=-1), "max_tokens"),
    "max_tokens beyond the model": (body(max_tokens=128_001), "max_tokens"),
    "no messages": (body() | {"messages": []}, "messages"),
    "a strange role": (body({"role": "tool", "content": "x"}), "role"),
    "empty string": (body({"role": "user", "content": ""}), "empty_content"),
    "empty list": (body({"role": "user", "content": []}), "empty_content"),
    "empty text": (body(user("")), "empty_text"),
    "marked empty text": (body(user(text("", "5m"))), "empty_text_marker"),
    "white space": (body(user(" \n")), "white_space"),
    "unknown block": (body(user({"type": "video"})), "block_type"),
    "extra field in a block": (body(user({**text("a"), "id": 3})), "unknown_field"),
    "two system prompts": (body({"role": "system", "content": "x"}), "system_turn_place"),
    "system after assistant": (
        body(user("a"), assistant("b"), {"role": "system", "content": "c"}, assistant("d"), user("e")),
        "system_turn_place",
    ),
    "system before user": (body(user("a"), {"role": "system", "content": "b"}, user("c")), "system_turn_place"),
    "system turns on a model without": (
        body(user("a"), {"role": "system", "content": "b"}, model=OLD),
        "system_turn",
    ),
    "picture from the assistant": (body(user("a"), assistant(image()), user("b")), "block_role"),
    "document from the assistant": (
        body(user("a"), assistant({"type": "document", "source": {"type": "url", "url": "u"}}), user("b")),
        "assistant_document",
    ),
    "citations from the user": (body(user({**text("a"), "citations": [{"type": "x"}]})), "user_citations"),
    "assistant first": (body(assistant("a"), user("b")), "first_message"),
    "prefill": (body(user("a"), assistant("b")), "prefill"),
    "prefill with trailing space": (body(user("a"), assistant("b "), model=OLD), "prefill"),
    "prefill while thinking": (
        body(
            user("a"), assistant("b"), model=OLD, thinking={"type": "enabled", "budget_tokens": 1024}, max_tokens=2000
        ),
        "prefill",
    ),
    "call without result": (body(ASKED, assistant(call()), user("well?"), **TOOLS), "pairs"),
    "call at the end": (body(ASKED, assistant(call()), **TOOLS, model=OLD), "pairs"),
    "text before results": (body(ASKED, assistant(call()), user("so", result()), **TOOLS), "pairs"),
    "result without call": (body(ASKED, assistant("a"), user(result()), **TOOLS), "pairs"),
    "result in the first message": (body(user(result()), **TOOLS), "pairs"),
    "two results of one call": (body(ASKED, assistant(call()), user(result(), result()), **TOOLS), "pairs"),
    "one of two results": (
        body(ASKED, assistant(call("a"), call("b")), user(result("a")), **TOOLS),
        "pairs",
    ),
    "an id with a colon": (body(ASKED, assistant(call("run:0")), user(result("run:0")), **TOOLS), "call_ids"),
    "an empty id": (body(ASKED, assistant(call("")), user(result("")), **TOOLS), "call_ids"),
    "an id used twice": (body(*EXCHANGE, *EXCHANGE[1:], **TOOLS), "call_ids"),
    "a name with a dot": (body(ASKED, assistant({**call(), "name": "a.b"}), user(result()), **TOOLS), "call_ids"),
    "the same tool twice": (body(tools=[TOOL, TOOL]), "tool_names"),
    "a tool's name with blanks": (body(tools=[{**TOOL, "name": "a b"}]), "tool_names"),
    "a tool without schema": (body(tools=[{"name": "a"}]), "missing_field"),
    "only deferred tools": (body(tools=[{**TOOL, "defer_loading": True}]), "deferred_tools"),
    "a choice without tools": (body(tool_choice={"type": "auto"}), "tool_choice"),
    "a choice of an unknown tool": (
        body(**TOOLS, tool_choice={"type": "tool", "name": "x"}, model=OLD),
        "tool_choice",
    ),
    "forced choice": (body(**TOOLS, tool_choice={"type": "any"}), "forced_tools"),
    "five markers": (body(user(*FIVE)), "marker_count"),
    "four and the automatic one": (body(user(*FIVE[:4], "last"), cache_control=MARK), "marker_count"),
    "5 min before 1 h": (body(user(text("a", "5m"), text("b", "1h"))), "marker_order"),
    "automatic with another lifetime": (
        body(user(text("a", "1h")), cache_control=MARK),
        "marker",
    ),
    "a lifetime of two hours": (body(user(text("a", "2h"))), "marker"),
    "marked thinking": (
        body(user("a"), assistant({**THOUGHT, "cache_control": MARK}, "b"), user("c")),
        "unknown_field",
    ),
    "thinking off where it is always on": (
        body(model="claude-opus-5-5", thinking={"type": "disabled"}),
        "thinking_mode",
    ),
    "manual thinking on a new model": (
        body(thinking={"type": "enabled", "budget_tokens": 1024}, max_tokens=2000),
        "thinking_mode",
    ),
    "a small budget": (body(model=OLD, thinking={"type": "enabled", "budget_tokens": 100}), "thinking"),
    "a budget above max_tokens": (body(model=OLD, thinking={"type": "enabled", "budget_tokens": 1024}), "thinking"),
    "an unknown effort": (body(output_config={"effort": "extreme"}), "effort"),
    "xhigh before 4.7": (body(model="claude-opus-4-6", output_config={"effort": "xhigh"}), "effort"),
    "effort on a model without": (body(model=OLD, output_config={"effort": "low"}), "effort"),
    "no thinking at the highest effort": (
        body(model="claude-opus-5", thinking={"type": "disabled"}, output_config={"effort": "max"}),
        "effort",
    ),
    "fast Sonnet": (body(speed="fast"), "speed"),
    "pre-warming a stream": (body(max_tokens=0, stream=True), "prewarm"),
    "pre-warming with white space": (body(user(" "), max_tokens=0), "white_space"),
    "context management without its header": (body(context_management={"edits": []}), "unknown_field"),
    "binding without its header": (
        body(thinking={"type": "adaptive", "block_binding": {}}),
        "thinking",
    ),
    "credit of a fallback": (body(fallback_credit_token="t"), "not_simulated"),
    "a blank stop sequence": (body(stop_sequences=[" "]), "stop_sequences"),
    "metadata of one's own": (body(metadata={"team": "x"}), "unknown_field"),
}


@pytest.mark.parametrize(("sent", "rule"), REFUSED.values(), ids=REFUSED.keys())
def test_illegal_requests_are_refused(sent: Any, rule: str) -> None:
    """Each rule of the documentation refuses what it forbids, and says so under its own name."""
    assert rule in rules(sent)


def test_old_version_takes_what_it_took() -> None:
    """Version 2023-06-01 accepts sampling parameters and documents in assistant messages."""
    document = {"type": "document", "source": {"type": "url", "url": "u"}}
    sent = body(user("a"), assistant(document), user("b"), temperature=0.5)
    assert rules(sent, version="2023-06-01") == []


def test_count_tokens_takes_fewer_parameters() -> None:
    """max_tokens, metadata, stop_sequences, diagnostics, service_tier and stream are no parameters of count_tokens."""
    plain = {name: value for name, value in body().items() if name != "max_tokens"}
    assert rules(plain, counting=True) == []
    for name, value in (("max_tokens", 5), ("metadata", {}), ("stop_sequences", []), ("service_tier", "auto")):
        assert rules(plain | {name: value}, counting=True) == ["unknown_field"]


def test_reported_laxness_is_a_switch() -> None:
    """An assistant message first, user text of white space, and ids used again later pass where the caller says so."""
    lax = CheckRules(assistant_first=True, whitespace_text=True, repeated_ids=True)
    assert rules(body(assistant("a"), user(" ")), rules=lax) == []
    assert rules(body(*EXCHANGE, *EXCHANGE[1:]), rules=lax) == []
    assert rules(body(ASKED, assistant(call(), call()), user(result())), rules=lax) == ["call_ids"]


def test_thinking_may_not_be_stripped_from_an_open_exchange() -> None:
    """On models that bind thinking, a call made after a thought comes back with the thought while it is open."""
    sim = Simulator()
    sent = body(user("Use order_status for order 7"), **TOOLS)
    _, reply = post(sim, sent)
    thought, made = reply["content"]
    full = [*sent["messages"], assistant(thought, made), user(result(made["id"]))]
    bare = [*sent["messages"], assistant(made), user(result(made["id"]))]
    assert sim.check(body(*full, **TOOLS)) == []
    assert "open_exchange" in str(sim.check(body(*bare, **TOOLS)))
    closed = [*bare, assistant("There."), user("Thanks.")]
    assert sim.check(body(*closed, **TOOLS)) == []


def test_large_bodies_are_413() -> None:
    """A body beyond 32 MB is refused before it is read."""
    answer = Simulator().handle(Call(method="POST", path="/v1/messages", body=b" " * (32 * 1024 * 1024 + 1)))
    assert isinstance(answer, Answer) and answer.status == 413
    assert b"request_too_large" in answer.body


def test_too_many_pictures_are_refused() -> None:
    """A model with a window of 200k takes 100 pictures."""
    assert rules(body(user(*[image()] * 100, "x"), model=OLD)) == []
    assert rules(body(user(*[image()] * 101, "x"), model=OLD)) == ["images"]


def test_pictures_have_a_greatest_size() -> None:
    """8,000 pixels at most, 2,000 where there are more than 20 pictures; 600 PDF pages on large windows."""
    head = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR"
    sizes = {edge: base64.b64encode(head + struct.pack(">II", edge, 10)).decode() for edge in (2_001, 8_001)}
    wide = {edge: {**image(), "source": {**image()["source"], "data": data}} for edge, data in sizes.items()}
    assert rules(body(user(*[wide[2_001]] * 20))) == []
    assert set(rules(body(user(*[wide[2_001]] * 21)))) == {"images"}
    assert rules(body(user(wide[8_001]))) == ["images"]
    pages = base64.b64encode(b"<</Type /Page >>" * 601).decode()
    source = {"type": "base64", "media_type": "application/pdf", "data": pages}
    assert rules(body(user({"type": "document", "source": source}))) == ["pdf_pages"]


EVERYTHING = body(
    user(
        "Use order_status for order 12",
        image(),
        {"type": "document", "title": "t", "context": "c", "citations": {"enabled": True},
         "source": {"type": "text", "media_type": "text/plain", "data": "hello"}},
        {"type": "document", "source": {"type": "content", "content": [text("inner")]}},
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERg=="}},
        {"type": "search_result", "source": "s", "title": "t", "content": [text("found")]},
        {"type": "container_upload", "file_id": "f"},
    ),
    assistant({**THOUGHT, "thinking": "", "signature": f"{SIGNATURE_MARK}.x"}, "ok", call(order=12)),
    user(result(content=[text("val"), {"type": "image", "source": {"type": "url", "url": "u"}},
                         {"type": "tool_reference", "tool_name": "order_status"}]),
         text("and now? Summarise it", "5m")),
    {"role": "system", "content": [text("Be short.")]},
    system=[text("be kind", "1h")],
    tools=[{**TOOL, "cache_control": {"type": "ephemeral", "ttl": "1h"}},
           {"type": "web_search_20250305", "name": "web_search"}],
    tool_choice={"type": "auto"},
    thinking={"type": "adaptive", "display": "summarized", "block_binding": {"prefix_mismatch_behavior": "drop_block"}},
    output_config={"effort": "low", "format": {"type": "json_schema", "schema": {
        "type": "object", "properties": {"a": {"type": "array", "items": {"type": "string"}}, "n": {"enum": [1]}}}}},
    metadata={"user_id": "x"},
    diagnostics={"previous_message_id": None},
    context_management={"edits": [{
        "type": "clear_tool_uses_20250919", "trigger": {"type": "input_tokens", "value": 10},
        "keep": {"type": "tool_uses", "value": 0}, "clear_at_least": {"type": "input_tokens", "value": 1},
        "exclude_tools": ["x"], "clear_tool_inputs": True}]},
    stop_sequences=["XX"], cache_control=MARK, inference_geo="us", service_tier="auto", container="c",
)  # fmt: skip
ODD: tuple[Any, ...] = (None, 1, -1, 1.5, True, "", " ", "x", [], {}, [1], [None], [[]], {"a": 1}, {"type": "text"},
       {"type": 1}, [{"type": "text", "text": "q"}], {"type": []}, {"type": "base64", "data": 1},
       "\ud800", 10**30)  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every path inside a JSON value."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(inner for key, part in parts for inner in places(part, (*path, key)))]


def put(value: Any, path: tuple[Any, ...], odd: Any) -> Any:
    """The value with something else at a path."""
    if not path:
        return odd
    whole = copy.deepcopy(value)
    at = whole
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = odd
    return whole


PLACES = places(EVERYTHING)
sim_for_odd_bodies = Simulator(accept_foreign_thinking=True)


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.sampled_from(PLACES), st.sampled_from(ODD)), min_size=1, max_size=1))
def test_odd_json_is_answered(changes: list[tuple[tuple[Any, ...], Any]]) -> None:
    """Whatever stands anywhere in a body, the answer is a reply or a proper error: nothing is ever raised."""
    sent: Any = EVERYTHING
    for path, odd in changes:
        sent = put(sent, path, odd)
    betas = f"{CONTEXT_BETA},{BINDING_BETA}"
    sim_for_odd_bodies.log.clear()
    status, answer = post(sim_for_odd_bodies, sent, betas=betas) if not _streams(sent) else (200, {"type": "message"})
    assert status in (200, 400, 404)
    assert answer["type"] == ("message" if status == 200 else "error")


def _streams(sent: Any) -> bool:
    return isinstance(sent, dict) and sent.get("stream") is True


def test_every_legal_body_is_served_as_judged() -> None:
    """`check` is empty exactly when the same body is answered with 200."""
    sim = Simulator(accept_foreign_thinking=True)
    chance = random.Random(7)
    for _ in range(150):
        sent = put(EVERYTHING, chance.choice(PLACES[1:]), chance.choice(ODD))
        if isinstance(sent.get("model"), str) and not _streams(sent):
            status, _ = post(sim, sent, betas=f"{CONTEXT_BETA},{BINDING_BETA}")
            found = sim.check(sent, betas=(CONTEXT_BETA, BINDING_BETA))
            assert (status == 200) == (found == [])


def test_bodies_are_not_changed_by_judging_or_serving() -> None:
    """The log keeps the very body that came in."""
    sim = Simulator(accept_foreign_thinking=True)
    post(sim, EVERYTHING, betas=f"{CONTEXT_BETA},{BINDING_BETA}")
    assert sim.log[-1].status == 200
    assert dumps(sim.log[-1].body) == dumps(EVERYTHING)
