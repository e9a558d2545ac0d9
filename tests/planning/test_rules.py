"""Each rule of the API by example: the request that breaks it, where, and the nearest one that does not."""

from __future__ import annotations

import base64
import json
import struct
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from sash.model.cards import card
from sash.model.images import pixels
from sash.planning.rules import MAX_MARKERS, RULES, check_request, count_params
from sash.simulator import Simulator

TOOL = {"name": "lookup", "description": "Find an order", "input_schema": {"type": "object"}}
MARK = {"type": "ephemeral"}
HOUR = {"type": "ephemeral", "ttl": "1h"}
OLD = "2023-06-01"


def text(words: str = "Hello", **fields: Any) -> dict[str, Any]:
    return {"type": "text", "text": words, **fields}


def user(*blocks: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks) or [text()]}


def reply(*blocks: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks) or [text("Hi.")]}


def instruct(*blocks: Any) -> dict[str, Any]:
    return {"role": "system", "content": list(blocks) or [text("Be brief.")]}


def call(id: str = "toolu_1", **fields: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": id, "name": "lookup", "input": {}, **fields}


def result(id: str = "toolu_1", **fields: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": id, "content": "found", **fields}


def search(id: str = "srvtoolu_1") -> dict[str, Any]:
    return {"type": "server_tool_use", "id": id, "name": "web_search", "input": {"query": "sash"}}


def searched(id: str = "srvtoolu_1") -> dict[str, Any]:
    return {"type": "web_search_tool_result", "tool_use_id": id, "content": []}


def thought(**fields: Any) -> dict[str, Any]:
    return {"type": "thinking", "thinking": "", "signature": "EqQB", **fields}


def image(data: str = "aGVsbG8=", media: str = "image/png") -> dict[str, Any]:
    return {"type": "image", "source": {"type": "base64", "media_type": media, "data": data}}


def document(**fields: Any) -> dict[str, Any]:
    return {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Terms"}, **fields}


def ask(*messages: Any, **params: Any) -> dict[str, Any]:
    """A request for a current model; tools are given whenever the history holds a call."""
    body = {"model": "claude-sonnet-5-5", "max_tokens": 1000, "messages": list(messages) or [user()]}
    if "tool_use" in str(messages):
        body["tools"] = [TOOL]
    return {**body, **params}


def broken(params: dict[str, Any], **options: Any) -> list[tuple[str, str]]:
    return [(problem.rule, problem.path) for problem in check_request(params, **options)]


# --- the whole


def test_an_ordinary_conversation_is_legal() -> None:
    """A tool conversation with thinking, markers and an instruction between turns breaks no rule."""
    request = ask(
        user(text("Where is order 1138?")),
        reply(thought(), text("Let me look."), call("a"), call("b")),
        user(result("b"), result("a", cache_control=MARK), text("Both, please.")),
        instruct(),
        reply(text("On its way.")),
        user(text("Thanks!", cache_control=MARK)),
        system=[text("You are patient.", cache_control=HOUR)],
        tools=[{**TOOL, "cache_control": HOUR}],
        thinking={"type": "adaptive"},
        tool_choice={"type": "none"},
    )
    assert broken(request) == []


def test_a_problem_says_what_where_and_what_to_do() -> None:
    """A problem carries its stable rule id, the path as the API writes it, and a remedy with the value."""
    problem = check_request(ask(user(text(""), text("Hello"))))[0]
    assert (problem.rule, problem.path) == ("empty-text", "messages.0.content.0")
    assert "drop it" in problem.message


def test_rule_ids_are_kebab_case_and_every_rule_is_explained() -> None:
    """Rule ids are stable names and each rule function states its law."""
    for name, rule in RULES.items():
        assert name == name.lower().replace("_", "-")
        assert rule.__doc__


def test_sdk_objects_are_read_like_dicts() -> None:
    """Blocks given as the SDK's own objects are judged as the dicts they stand for."""

    class FromSdk:
        def to_dict(self) -> dict[str, Any]:
            return text("")

    assert broken(ask(user(text()), reply(FromSdk(), text("Hi.")), user())) == [("empty-text", "messages.1.content.0")]


def test_unknown_block_types_pass() -> None:
    """Block types that came after this version are not held against a request."""
    assert broken(ask(user(text(), {"type": "hologram", "cache_control": MARK}))) == []


def test_an_unknown_model_is_judged_leniently() -> None:
    """What some model takes is not refused for a model without a card."""
    request = ask(user(), reply(), model="claude-next-9", tool_choice={"type": "any"}, tools=[TOOL], max_tokens=500_000)
    assert broken(request) == []


def test_a_card_given_wins_over_the_model_id() -> None:
    """The rules that depend on the model follow the card that the caller passes."""
    mine = replace(card("claude-sonnet-5-5"), prefill=True, thinking_default=False)
    assert broken(ask(user(), reply()), card=mine) == []


def test_a_generator_of_messages_is_named_and_not_consumed() -> None:
    """An iterator can be read once only: it is reported, never used up."""
    turns = iter([user()])
    assert ("parameter-type", "messages") in broken(ask(messages=turns))
    assert next(turns) == user()


# --- parameters (traps 4, 25, 33, 34, 38)


def test_sampling_parameters_are_refused_since_the_new_version() -> None:
    """temperature, top_p and top_k are refused even at their default, but only under 2026-10-21."""
    for name, value in (("temperature", 1.0), ("top_p", 1), ("top_k", 5)):
        assert broken(ask(**{name: value})) == [("sampling-parameter", name)]
        assert broken(ask(extra_body={name: value})) == [("sampling-parameter", name)]
        assert broken(ask(**{name: value}), version=OLD) == []
        assert broken(ask(**{name: value, "extra_headers": {"Anthropic-Version": OLD}})) == []


def test_a_misspelt_parameter_is_named_with_its_neighbour() -> None:
    """Unknown names are refused and the message offers the nearest known one."""
    problem = check_request(ask(tool_choise={"type": "auto"}))[0]
    assert (problem.rule, problem.path) == ("parameter-unknown", "tool_choise")
    assert "'tool_choice'" in problem.message


def test_unknown_parameters_pass_with_a_beta() -> None:
    """Betas add parameters without notice, wherever the beta is named."""
    for options in ({"betas": ["new-2027"]}, {"extra_headers": {"anthropic-beta": "new-2027, other"}}):
        assert broken(ask(novelty=1, **options)) == []
    assert broken(ask(novelty=1), betas=["new-2027"]) == []


def test_beta_fields_and_blocks_need_their_beta() -> None:
    """A beta's field or block without its header is refused, and a header of another family does not help."""
    request = ask(context_management={"edits": []})
    assert broken(request) == [("beta-missing", "context_management")]
    assert broken(request, betas=["mcp-client-2025-11-20"]) == [("beta-missing", "context_management")]
    assert broken(request, betas=["context-management-2025-06-27"]) == []
    added = ask(user(), instruct({"type": "tool_addition", "tool": {}}))
    assert broken(added) == [("beta-missing", "messages.1.content.0")]
    bound = ask(thinking={"type": "adaptive", "block_binding": {"prefix_mismatch_behavior": "drop_block"}})
    assert broken(bound) == [("beta-missing", "thinking.block_binding")]
    assert broken(bound, betas=["thinking-binding-controls-2026-08-01"]) == []


@pytest.mark.parametrize("name", ["model", "max_tokens", "messages"])
def test_required_parameters(name: str) -> None:
    """model, max_tokens and messages must be there."""
    request = {key: value for key, value in ask().items() if key != name}
    assert ("parameter-missing", name) in broken(request)


@pytest.mark.parametrize(
    ("name", "value"),
    [("max_tokens", "1000"), ("max_tokens", True), ("tools", {}), ("stream", 1), ("thinking", "adaptive"),
     ("stop_sequences", "END"), ("metadata", None), ("system", 7)],
)  # fmt: skip
def test_parameter_types(name: str, value: Any) -> None:
    """A parameter of the wrong JSON type is refused; null is taken by some parameters only."""
    assert ("parameter-type", name) in broken(ask(**{name: value}))
    assert broken(ask(cache_control=None, container=None)) == []


def test_max_tokens_is_bounded_by_the_model_not_by_the_sdk() -> None:
    """The model's maximum is the limit; the SDK's own limit for calls without streaming is no rule."""
    assert broken(ask(max_tokens=128_000)) == []
    assert broken(ask(max_tokens=128_001)) == [("max-tokens", "max_tokens")]
    assert broken(ask(max_tokens=128_001), betas=["output-300k-2026-03-24"]) == []
    assert broken(ask(max_tokens=-1)) == [("max-tokens", "max_tokens")]


def test_warming_the_cache_asks_for_no_output() -> None:
    """max_tokens 0 is legal by itself and excludes all that shapes an output."""
    assert broken(ask(max_tokens=0)) == []
    assert broken(ask(max_tokens=0, stream=True)) == [("prewarm", "stream")]
    request = ask(max_tokens=0, output_config={"format": {"type": "json_schema", "schema": {}}})
    assert broken(request) == [("prewarm", "output_config.format")]


def test_a_stop_sequence_says_something() -> None:
    """Each stop sequence is a text that is more than white space."""
    assert broken(ask(stop_sequences=["END", "\n\nHuman:"])) == []
    assert broken(ask(stop_sequences=["END", "", " \n"])) == [
        ("stop-sequence", "stop_sequences.1"),
        ("stop-sequence", "stop_sequences.2"),
    ]
    assert broken(ask(stop_sequences=[7])) == [("stop-sequence", "stop_sequences.0")]


def test_count_params_leaves_out_what_count_tokens_refuses() -> None:
    """Counting takes the prompt's parameters; those of the reply and of billing stay out."""
    request = ask(metadata={}, stop_sequences=["x"], diagnostics={}, service_tier="auto", container="c", stream=True)
    kept = count_params({**request, "system": "Be kind.", "inference_geo": "us", "thinking": {"type": "adaptive"}})
    assert set(kept) == {"model", "messages", "system", "thinking"}


def test_body_size() -> None:
    """A body of more than 32 MB is refused, and one that is no JSON is named."""
    rest = len(json.dumps(ask(user(text(""))), separators=(",", ":")))
    assert broken(ask(user(text("x" * (32 * 1024 * 1024 - rest))))) == []
    assert broken(ask(user(text("x" * (32 * 1024 * 1024 - rest + 1))))) == [("body-size", "")]
    assert broken(ask(user(text("好" * (11 * 1024 * 1024))))) == [("body-size", "")]
    assert broken(ask(metadata={"user_id": {1, 2}})) == []  # written as text, as an open file would be
    assert ("body-size", "") in broken(ask(metadata={("a", "b"): 1}))


# --- messages (traps 22 to 26, 28)


def test_messages_are_never_empty() -> None:
    """At least one message; at most 100,000."""
    assert broken(ask(messages=[])) == [("message-count", "messages")]
    assert ("message-count", "messages") in broken(ask(*[user()] * 100_001))


def test_roles() -> None:
    """A role the API does not know is refused where it stands."""
    assert broken(ask(user(), {"role": "tool", "content": "42"}, user())) == [("role", "messages.1.role")]


def test_a_whole_reply_is_no_message() -> None:
    """A reply replayed with its id and usage is refused: a message has role and content only."""
    assert broken(ask(user(), {**reply(), "id": "msg_1", "usage": {}}, user())) == [("message-fields", "messages.1")]


def test_a_system_turn_has_more_fields_in_beta() -> None:
    """clear_at and output_config need a beta; with it, output_config may stand without content."""
    effort = {"role": "system", "content": [], "output_config": {"effort": "low"}}
    assert broken(ask(user(), effort), betas=["mid-conversation-output-config-2026-07-01"]) == []
    assert broken(ask(user(), {**instruct(), "clear_at": "never"})) == [("message-fields", "messages.1")]
    said = {**effort, "role": "user"}
    assert broken(ask(said), betas=["new-2027"]) == [("empty-message", "messages.0.content")]


def test_shapes_that_are_no_content() -> None:
    """What is neither text nor a list of blocks is malformed, and the rest is still judged."""
    request = ask(user(), {"role": "assistant", "content": 7}, "hello", user(text(""), 5, {"text": "no type"}))
    assert broken(request) == [
        ("malformed", "messages.1.content"),
        ("malformed", "messages.2"),
        ("malformed", "messages.3.content.1"),
        ("malformed", "messages.3.content.2"),
        ("empty-message", "messages.1.content"),
        ("empty-message", "messages.3.content"),
        ("empty-text", "messages.3.content.0"),
    ]  # fmt: skip


def test_the_user_speaks_first() -> None:
    """An assistant-first list is refused, unless a compaction block opens it."""
    assert broken(ask(reply(), user())) == [("first-message", "messages.0")]
    compacted = {"type": "compaction", "content": "So far ...", "signature": "sig"}
    assert broken(ask(reply(compacted), user()), betas=["compact-2026-09-04"]) == []


def test_consecutive_messages_of_one_role_are_one_turn() -> None:
    """Two user messages in a row are legal, and so are results split over them."""
    assert broken(ask(user(), user())) == []
    assert broken(ask(user(), reply(call("a"), call("b")), user(result("a")), user(result("b"), text()))) == []


@pytest.mark.parametrize("nothing", ["", "  \n", [], [text(" ")]])
def test_a_message_says_something(nothing: Any) -> None:
    """Empty or blank content is refused for either speaker: a refused reply with empty content cannot stay."""
    assert ("empty-message", "messages.0.content") in broken(ask({"role": "user", "content": nothing}))
    later = ask(user(), {"role": "assistant", "content": nothing}, user())
    assert ("empty-message", "messages.1.content") in broken(later)


def test_blank_text_beside_something_else_passes() -> None:
    """White space next to another block has been accepted by the API (as recorded), and passes."""
    assert broken(ask(user(), reply(text(" "), call()), user(result()))) == []


def test_empty_text_is_refused_wherever_it_hides() -> None:
    """Empty text blocks are refused in system, beside other blocks, and inside tool results."""
    assert broken(ask(system=[text("")])) == [("empty-text", "system.0")]
    assert broken(ask(system="")) == []
    inside = ask(user(), reply(call()), user(result(content=[text("")])))
    assert broken(inside) == [("empty-text", "messages.2.content.0.content.0")]
    assert broken(ask(user(), reply(call()), user(result(content="")))) == []


def test_blocks_belong_to_their_role() -> None:
    """Calls and thinking stand in assistant messages, results in user messages."""
    assert ("block-role", "messages.0.content.1") in broken(ask(user(text(), thought())))
    assert ("block-role", "messages.1.content.0") in broken(ask(user(), reply(result()), user()))


def test_documents_and_citations_under_the_new_version() -> None:
    """Since 2026-10-21 no document in an assistant message and no citations on the user's text."""
    cited = text("42", citations=[{"type": "char_location"}])
    assert broken(ask(user(), reply(document()), user())) == [("document-in-assistant", "messages.1.content.0")]
    assert broken(ask(user(), reply(cited), user())) == []
    assert broken(ask(user(cited))) == [("citations-in-user-text", "messages.0.content.0")]
    assert broken(ask(user(document(citations={"enabled": True})))) == []
    found = {"type": "search_result", "source": "s", "title": "t", "content": [cited]}
    assert broken(ask(user(found))) == [("citations-in-user-text", "messages.0.content.0.content.0")]
    assert broken(ask(user(cited), reply(document()), user()), version=OLD) == []


def test_a_fetched_document_inside_a_server_result_is_legal() -> None:
    """Only a document directly in an assistant message is refused, not one inside a web fetch's result."""
    fetched = {
        **searched(),
        "type": "web_fetch_tool_result",
        "content": {"type": "web_fetch_result", "content": document()},
    }
    assert broken(ask(user(), reply(search(), fetched, text("Read.")), user())) == []


def test_no_prefill_on_current_models() -> None:
    """A list that ends in the assistant's turn is a prefill: refused unless the model takes it, without thinking."""
    assert broken(ask(user(), reply())) == [("prefill", "messages.1")]
    old = {"model": "claude-haiku-4-5"}
    assert broken(ask(user(), reply(), **old)) == []
    assert broken(ask(user(), reply(text("So ")), **old)) == [("prefill", "messages.1.content.0")]
    thinking = {"type": "enabled", "budget_tokens": 1024}
    assert broken(ask(user(), reply(), **old, max_tokens=2000, thinking=thinking)) == [("prefill", "messages.1")]


def test_a_paused_turn_may_be_sent_again() -> None:
    """A turn cut by pause_turn ends in the assistant's message and is legal on every model."""
    assert broken(ask(user(), reply(text("Searching."), search()))) == []
    assert broken(ask(user(), reply(search(), searched()))) == []
    assert broken(ask(user(), reply(search(), searched(), text("Done.")))) == [("prefill", "messages.1")]


def test_system_turns_by_model() -> None:
    """Instructions between turns are taken by some models only."""
    request = ask(user(), instruct())
    assert broken(request) == []
    assert broken({**request, "model": "claude-sonnet-5"}) == [("system-turn-model", "messages.1")]


@pytest.mark.parametrize(
    ("messages", "at"),
    [
        ([instruct(), user()], 0),
        ([user(), reply(), instruct(), user()], 2),
        ([user(), reply(), instruct()], 2),
        ([user(), instruct(), user()], 1),
    ],
)
def test_system_turns_have_their_place(messages: list[dict[str, Any]], at: int) -> None:
    """An instruction follows a user turn and is last or followed by the assistant."""
    assert ("system-turn-place", f"messages.{at}") in broken(ask(*messages))


def test_system_turns_where_they_belong() -> None:
    """After tool results, several in a row, and after a server tool's result they are legal."""
    assert broken(ask(user(), reply(call()), user(result()), instruct(), instruct(), reply(), user())) == []
    assert broken(ask(user(), reply(search(), searched()), instruct())) == []


def test_a_system_turn_never_parts_a_call_from_its_result() -> None:
    """Between a tool call and its result nothing may stand."""
    found = broken(ask(user(), reply(call()), instruct(), user(result())))
    assert ("tool-unanswered", "messages.1.content.0") in found
    assert ("system-turn-place", "messages.2") in found


def test_system_is_text() -> None:
    """Neither a system turn nor the system parameter holds an image."""
    assert broken(ask(user(), instruct(image()))) == [("system-turn-content", "messages.1.content.0")]
    assert broken(ask(system=[image()])) == [("system-turn-content", "system.0")]


# --- tools (traps 18, 22, 29)


def test_every_call_is_answered_in_the_next_user_turn() -> None:
    """A call without a result, at the end or in the middle, is refused where the call stands."""
    assert ("tool-unanswered", "messages.1.content.0") in broken(ask(user(), reply(call())))
    assert broken(ask(user(), reply(call("a"), call("b")), user(result("a")))) == [
        ("tool-unanswered", "messages.1.content.1")
    ]
    late = broken(ask(user(), reply(call()), user(), reply(), user(result())))
    assert late == [("tool-unanswered", "messages.1.content.0"), ("tool-orphan", "messages.4.content.0")]


def test_every_result_has_its_call_right_before() -> None:
    """A result whose call was trimmed away is refused."""
    assert broken(ask(user(result()), tools=[TOOL])) == [("tool-orphan", "messages.0.content.0")]
    assert broken(ask(user(), reply(call("a")), user(result("a"), result("b")))) == [
        ("tool-orphan", "messages.2.content.1")
    ]


def test_results_come_first() -> None:
    """Text before a result is refused, in one message or over merged ones; text after it is legal."""
    assert broken(ask(user(), reply(call()), user(text(), result()))) == [("tool-result-first", "messages.2.content.1")]
    assert broken(ask(user(), reply(call()), user(), user(result()))) == [("tool-result-first", "messages.3.content.0")]
    assert broken(ask(user(), reply(call()), user(result(), text()))) == []


def test_ids_of_calls_and_results() -> None:
    """One result a call, one id a call, in the whole conversation."""
    twice = ask(user(), reply(call()), user(result(), result()))
    assert broken(twice) == [("tool-result-twice", "messages.2.content.1")]
    same = ask(user(), reply(call(), call()), user(result()))
    assert broken(same) == [("tool-id-twice", "messages.1.content.1")]
    later = ask(user(), reply(call()), user(result()), reply(call()), user(result()))
    assert broken(later) == [("tool-id-twice", "messages.3.content.0")]


@pytest.mark.parametrize(
    "fields",
    [{"id": "call 1"}, {"id": "run:0"}, {"id": None}, {"name": ""}, {"name": "a.b"}, {"input": '{"order": 11'}],
)
def test_calls_have_a_shape(fields: dict[str, Any]) -> None:
    """A call's id, name and input have a form; the raw text of a call that was cut short has not."""
    request = ask(user(), reply({**call(), **fields}), user(result(fields.get("id", "toolu_1"))))
    assert ("tool-call-shape", "messages.1.content.0") in broken(request)


def test_tool_blocks_without_tools_are_taken() -> None:
    """The API takes calls and results of tools that the request does not declare (since 2025-02-27)."""
    history = [user(), reply(call()), user(result())]
    assert broken(ask(*history, tools=[])) == []
    assert broken(ask(*history, tool_choice={"type": "none"})) == []


def test_images_are_the_users() -> None:
    """An assistant message holds no image."""
    assert broken(ask(user(), reply(image()), user())) == [("block-role", "messages.1.content.0")]


def test_tool_definitions() -> None:
    """A tool has a well-formed name of its own and an object schema; server tools have their own form."""
    assert broken(ask(tools=[{**TOOL, "name": "look up"}])) == [("tool-definition", "tools.0")]
    assert broken(ask(tools=[{"name": "lookup"}])) == [("tool-definition", "tools.0")]
    assert broken(ask(tools=[TOOL, TOOL])) == [("tool-definition", "tools")]
    assert broken(ask(tools=[{"type": "web_search_20250305", "name": "web_search"}, {"type": "mcp_toolset"}])) == []


def test_forced_tool_choice_by_model() -> None:
    """any / tool is refused by the models that think always, and with manual thinking everywhere."""
    forced = {"tools": [TOOL], "tool_choice": {"type": "any"}}
    assert broken(ask(**forced)) == [("tool-choice-forced", "tool_choice")]
    assert broken(ask(**forced, model="claude-haiku-5-5")) == []
    manual = {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 2000}
    assert broken(ask(**forced, **manual, model="claude-sonnet-4-5")) == [("tool-choice-forced", "tool_choice")]
    assert broken(ask(**forced, thinking={"type": "adaptive"}, model="claude-opus-4-6")) == []


def test_tool_choice_names_a_tool() -> None:
    """A forced choice needs tools, and a named one must be among them."""
    old = {"model": "claude-haiku-4-5"}
    assert broken(ask(tool_choice={"type": "any"}, **old)) == [("tool-choice-value", "tool_choice")]
    named = {"tool_choice": {"type": "tool", "name": "refund"}, "tools": [TOOL]}
    assert broken(ask(**named, **old)) == [("tool-choice-value", "tool_choice.name")]
    added = ask(user(), instruct({"type": "tool_addition", "tool": {}}), **named, model="claude-opus-5")
    assert broken(added, betas=["mid-conversation-tool-changes-2026-07-01"]) == []
    assert broken(ask(tool_choice={"type": "required"}, tools=[TOOL])) == [("tool-choice-value", "tool_choice.type")]


def test_server_tools_pair_up() -> None:
    """A server tool's result follows its call."""
    orphan = ask(user(), reply(searched(), text("Done.")), user())
    assert broken(orphan) == [("server-result-orphan", "messages.1.content.0")]
    assert broken(ask(user(), reply(search(), searched(), text("Done.")), user())) == []


def test_while_a_server_call_is_open_only_results_are_sent() -> None:
    """With a server call pending, user turns hold client results and nothing else until it is answered."""
    both = reply(search(), call())
    assert broken(ask(user(), both, user(result()))) == []
    assert broken(ask(user(), both, user(result()), reply(searched(), text("Done.")), user())) == []
    assert broken(ask(user(), both, user(result(), text()))) == [("server-call-open", "messages.2.content.1")]
    assert broken(ask(user(), reply(search()), user())) == [("server-call-open", "messages.2.content.0")]


# --- thinking (traps 20, 21, 29)


def test_thinking_goes_back_as_it_came() -> None:
    """A block needs its signature or data, even when its text is empty; a partial block from a stream has none."""
    assert broken(ask(user(), reply(thought(), text("Hi.")), user())) == []
    bare = {"type": "thinking", "thinking": "Half a th"}
    assert broken(ask(user(), reply(bare, text("Hi.")), user())) == [("thinking-block", "messages.1.content.0")]
    hidden = {"type": "redacted_thinking"}
    assert broken(ask(user(), reply(hidden, text("Hi.")), user())) == [("thinking-block", "messages.1.content.0")]


def test_no_turn_ends_in_thinking() -> None:
    """A reply that was cut short while thinking cannot be replayed."""
    assert broken(ask(user(), reply(text("Hm."), thought()), user())) == [("thinking-last", "messages.1.content.1")]


def test_thinking_modes_by_model() -> None:
    """Each model takes its own modes only."""
    disabled = {"thinking": {"type": "disabled"}}
    assert broken(ask(**disabled, model="claude-opus-5-5")) == [("thinking-mode", "thinking.type")]
    assert broken(ask(**disabled, model="claude-opus-5")) == []
    assert broken(ask(thinking={"type": "between_tools"})) == []
    assert broken(ask(thinking={"budget_tokens": 2000})) == [("thinking-mode", "thinking.type")]


@pytest.mark.parametrize(("budget", "legal"), [(1024, True), (1999, True), (1023, False), (2000, False), (None, False)])
def test_thinking_budget(budget: int | None, legal: bool) -> None:
    """A manual budget is at least 1,024 and below max_tokens."""
    thinking = {"type": "enabled", "budget_tokens": budget}
    request = ask(model="claude-haiku-4-5", max_tokens=2000, thinking=thinking)
    assert (broken(request) == []) is legal


def test_an_interleaved_budget_may_pass_max_tokens() -> None:
    """With interleaved thinking the budget covers several replies."""
    thinking = {"type": "enabled", "budget_tokens": 9000}
    request = ask(model="claude-sonnet-4-5", max_tokens=2000, thinking=thinking)
    assert broken(request) == [("thinking-budget", "thinking.budget_tokens")]
    assert broken(request, betas=["interleaved-thinking-2025-05-14"]) == []


def test_block_binding_values() -> None:
    """block_binding knows two behaviours and does not go with between_tools."""
    beta = ["thinking-binding-controls-2026-08-01"]
    odd = {"type": "adaptive", "block_binding": {"prefix_mismatch_behavior": "ignore"}}
    at = "thinking.block_binding"
    assert broken(ask(thinking=odd), betas=beta) == [("thinking-binding", f"{at}.prefix_mismatch_behavior")]
    between = {"type": "between_tools", "block_binding": {}}
    assert broken(ask(thinking=between), betas=beta) == [("thinking-binding", at)]


def test_effort_by_model() -> None:
    """Effort has five levels; some models lack it, some lack xhigh, some cap it while they think less."""
    at = [("effort", "output_config.effort")]
    assert broken(ask(output_config={"effort": "max"})) == []
    assert broken(ask(output_config={"effort": "huge"})) == at
    assert broken(ask(output_config={"effort": "low"}, model="claude-haiku-4-5")) == at
    assert broken(ask(output_config={"effort": "xhigh"}, model="claude-opus-4-6")) == at
    calm = {"thinking": {"type": "between_tools"}}
    assert broken(ask(output_config={"effort": "high"}, **calm)) == []
    assert broken(ask(output_config={"effort": "xhigh"}, **calm)) == at


def test_what_one_request_cannot_show_is_not_judged() -> None:
    """Thinking kept after a trimmed history passes here: only the history knows that its prefix changed."""
    assert broken(ask(user(text("Summary of before")), reply(thought(), text("Hi.")), user())) == []


# --- caching (traps 12, 14, 15)


def marked(count: int, **params: Any) -> dict[str, Any]:
    return ask(user(*[text(str(index), cache_control=MARK) for index in range(count)], text("last")), **params)


def test_at_most_four_markers_the_automatic_one_included() -> None:
    """Four pass, five do not, nor do four and the automatic one."""
    assert broken(marked(MAX_MARKERS)) == []
    assert broken(marked(5)) == [("marker-count", "messages.0.content.4")]
    assert broken(marked(3, cache_control=MARK)) == []
    assert broken(marked(4, cache_control=MARK)) == [("marker-count", "cache_control")]


def test_markers_count_wherever_they_stand() -> None:
    """Tools, system, messages and the blocks inside tool results share the four slots."""
    request = ask(
        user(text(cache_control=MARK)),
        reply(call(cache_control=MARK)),
        user(result(content=[text("found", cache_control=MARK)])),
        tools=[{**TOOL, "cache_control": MARK}],
        system=[text(cache_control=MARK)],
    )
    assert [rule for rule, _ in broken(request)] == ["marker-count"]


def test_cache_control_in_a_calls_input_is_data() -> None:
    """A key of that name in what the model wrote is no marker."""
    assert broken(ask(user(), reply(call(input={"cache_control": "no-store"})), user(result()))) == []


def test_automatic_caching_meets_an_explicit_marker() -> None:
    """On the block where it lands, the automatic marker is silent with the same lifetime and refused with another."""
    last = text(cache_control=MARK)
    assert broken(ask(user(last), cache_control=MARK)) == []
    assert broken(ask(user(last), cache_control={"type": "ephemeral", "ttl": "5m"})) == []
    longer = ask(user(text(cache_control=HOUR)), cache_control=MARK)
    assert broken(longer) == [("marker-clash", "cache_control")]


def test_the_automatic_marker_walks_back_to_a_block_that_takes_it() -> None:
    """It lands before thinking, and on no deferred tool; landing on a marked block it takes no fifth slot."""
    four = [text(str(index), cache_control=MARK) for index in range(4)]
    behind = ask(user(*four), reply(thought(), thought()), cache_control=MARK, compaction={"type": "summarize"})
    rules = [rule for rule, _ in broken(behind, betas=["compact-2026-09-04"])]
    assert rules == ["thinking-last"]
    only_deferred = {"tools": [{**TOOL, "defer_loading": True}], "cache_control": HOUR}
    assert broken({**ask(user(thought())), **only_deferred}) == [
        ("block-role", "messages.0.content.0"),
    ]


@pytest.mark.parametrize("control", [{"type": "ephemeral", "ttl": "2h"}, {"type": "forever"}, {}, True, {"ttl": "5m"}])
def test_marker_values(control: Any) -> None:
    """ephemeral is the only type, 5m and 1h are the only lifetimes."""
    assert ("marker-value", "messages.0.content.0") in broken(ask(user(text(cache_control=control))))


def test_an_hour_comes_before_five_minutes() -> None:
    """In the order tools, system, messages a 1h marker never follows a 5m one."""
    late = ask(user(text(cache_control=HOUR)), system=[text(cache_control=MARK)])
    assert broken(late) == [("marker-ttl-order", "messages.0.content.0")]
    assert broken(ask(user(text(cache_control=MARK)), system=[text(cache_control=HOUR)])) == []
    auto = ask(system=[text(cache_control=MARK)], cache_control=HOUR)
    assert broken(auto) == [("marker-ttl-order", "cache_control")]


def test_blocks_that_take_no_marker() -> None:
    """Thinking, empty text, citations and deferred tools are marked through another block."""
    thinking = ask(user(), reply(thought(cache_control=MARK), text("Hi.")), user())
    assert broken(thinking) == [("marker-on-thinking", "messages.1.content.0")]
    empty = ask(user(text("", cache_control=MARK), text()))
    assert ("marker-on-empty-text", "messages.0.content.0") in broken(empty)
    cited = text("42", citations=[{"type": "char_location", "cache_control": MARK}])
    part = ask(user(), reply(cited), user())
    assert broken(part) == [("marker-on-sub-block", "messages.1.content.0.citations.0")]
    deferred = ask(tools=[{**TOOL, "defer_loading": True, "cache_control": MARK}])
    assert broken(deferred) == [("marker-on-deferred-tool", "tools.0")]


def test_a_prefix_below_the_minimum_is_no_error() -> None:
    """A marker behind too short a prefix is legal: nothing is cached, nothing refused."""
    assert broken(ask(user(text("Hi", cache_control=MARK)))) == []


# --- compaction and context editing (traps 25, 31)


def test_a_signed_compaction_block_comes_first_and_unchanged() -> None:
    """It stands at the head of the messages, once, without null fields, with its beta."""
    block = {"type": "compaction", "content": "So far ...", "signature": "sig"}
    beta = ["compact-2026-09-04"]
    assert broken(ask(reply(block), user()), betas=beta) == []
    assert broken(ask(reply(block), user())) == [("beta-missing", "messages.0.content.0")]
    assert broken(ask(user(), reply(block, text("Hi.")), user()), betas=beta) == [
        ("compaction-block", "messages.1.content.0")
    ]
    nulls = ask(reply({**block, "tool_changes": None}), user())
    assert broken(nulls, betas=beta) == [("compaction-block", "messages.0.content.0")]


def test_compaction_of_a_threshold_stands_where_it_came() -> None:
    """Unsigned compaction blocks are sent back inside the turn that held them."""
    block = {"type": "compaction", "content": None}
    assert broken(ask(user(), reply(block, text("Hi.")), user()), betas=["compact-2026-01-12"]) == []


def test_a_compaction_request_samples_nothing() -> None:
    """It may end in the assistant's turn, and excludes what shapes an output."""
    request = ask(user(), reply(), compaction={"type": "summarize"})
    assert broken(request, betas=["compact-2026-09-04"]) == []
    assert broken({**request, "stop_sequences": ["END"]}, betas=["compact-2026-09-04"]) == [
        ("compaction-request", "stop_sequences")
    ]
    for length, found in ((16_384, []), (16_385, [("compaction-request", "compaction.instructions")])):
        longer = {**request, "compaction": {"type": "summarize", "instructions": "x" * length}}
        assert broken(longer, betas=["compact-2026-09-04"]) == found


def test_context_edits() -> None:
    """clear_thinking is the first edit; a compaction trigger is at least 50,000 tokens."""
    tools, thinking = {"type": "clear_tool_uses_20250919"}, {"type": "clear_thinking_20251015"}
    beta = ["context-management-2025-06-27"]
    assert broken(ask(context_management={"edits": [thinking, tools]}), betas=beta) == []
    assert broken(ask(context_management={"edits": [tools, thinking]}), betas=beta) == [
        ("context-edits", "context_management.edits.1")
    ]
    small = {"type": "compact_20260112", "trigger": {"type": "input_tokens", "value": 49_999}}
    assert broken(ask(context_management={"edits": [small]}), betas=["compact-2026-01-12"]) == [
        ("context-edits", "context_management.edits.0.trigger")
    ]


CHAINS: list[tuple[Any, list[str]]] = [
    ("default", []),
    (None, []),
    ([{"model": "claude-opus-5-5", "max_tokens": 9, "thinking": None, "output_config": {}, "speed": "fast"}], []),
    ("claude-opus-5-5", ["fallbacks"]),
    ([], ["fallbacks"]),
    (["claude-opus-5-5"], ["fallbacks.0.model"]),
    ([{"model": "claude-opus-5-5"}, {"model": 5, "system": "x"}], ["fallbacks.1.model", "fallbacks.1.system"]),
]


@pytest.mark.parametrize(("given", "paths"), CHAINS)
def test_fallbacks_are_a_chain_of_models(given: Any, paths: list[str]) -> None:
    """Each entry names its model and sets only options of its own: what the simulator refuses, the planner refuses."""
    beta, request = ["server-side-fallback-2026-07-01"], ask(fallbacks=given)
    assert broken(request, betas=beta) == [("fallbacks", path) for path in paths]
    assert bool(Simulator().check(request, betas=beta)) == bool(paths)


def test_a_thread_goes_on_without_what_the_server_holds() -> None:
    """A continued thread may begin with a result and leave the tools out."""
    request = ask(user(result()), thread={"type": "continue", "previous_message_id": "msg_1"})
    request.pop("tools", None)
    assert broken(request, betas=["message-threads-2026-08-12"]) == []


# --- images and documents


def png(width: int, height: int) -> str:
    head = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + struct.pack(">II", width, height)
    return base64.b64encode(head).decode()


def gif(width: int, height: int) -> str:
    return base64.b64encode(b"GIF89a" + struct.pack("<HH", width, height)).decode()


def jpeg(width: int, height: int) -> str:
    comment = b"\xff\xfe" + struct.pack(">H", 2 + 300) + b"c" * 300
    frame = b"\xff\xc0" + struct.pack(">HBHH", 17, 8, height, width)
    return base64.b64encode(b"\xff\xd8" + comment + frame).decode()


def webp(width: int, height: int) -> str:
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return base64.b64encode(b"RIFF\x00\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x00\x00\x00\x00" + size).decode()


def lossless(width: int, height: int) -> str:
    bits = struct.pack("<I", (width - 1) | (height - 1) << 14)
    return base64.b64encode(b"RIFF\x00\x00\x00\x00WEBPVP8L\x00\x00\x00\x00/" + bits).decode()


def lossy(width: int, height: int) -> str:
    frame = b"\x00\x00\x00\x9d\x01\x2a" + struct.pack("<HH", width, height)
    return base64.b64encode(b"RIFF\x00\x00\x00\x00WEBPVP8 \x00\x00\x00\x00" + frame).decode()


@pytest.mark.parametrize(
    ("make", "media"),
    [(png, "png"), (gif, "gif"), (jpeg, "jpeg"), (webp, "webp"), (lossless, "webp"), (lossy, "webp")],
)
def test_pixels_are_read_from_the_data(make: Any, media: str) -> None:
    """8,000 pixels a side; in company of more than 20 images, 2,000."""

    def sized(width: int, height: int) -> dict[str, Any]:
        return image(make(width, height), f"image/{media}")

    assert broken(ask(user(sized(8000, 10)))) == []
    assert broken(ask(user(sized(10, 8001)))) == [("image-pixels", "messages.0.content.0")]
    crowd = [sized(2000, 2000) for _ in range(20)]
    assert broken(ask(user(*crowd, sized(2001, 1)))) == [("image-pixels", "messages.0.content.20")]
    assert broken(ask(user(*crowd[:19], sized(2001, 1)))) == []


def test_image_count_by_model() -> None:
    """600 images a request, 100 on models with a small window; images inside tool results count."""
    many = [image()] * 101
    assert broken(ask(user(*many))) == []
    shown = ask(user(), reply(call()), user(result(content=many)), model="claude-haiku-4-5")
    assert broken(shown) == [("image-count", "messages")]


def test_image_source() -> None:
    """An image is base64 of a readable type, a url or a file id."""
    at = [("image-source", "messages.0.content.0")]
    assert broken(ask(user(image(media="image/tiff")))) == at
    assert broken(ask(user(image(data="")))) == at
    assert broken(ask(user({"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}}))) == []
    assert broken(ask(user({"type": "image"}))) == at


def test_image_bytes() -> None:
    """10 MB of base64 an image."""
    limit = 10 * 1024 * 1024
    assert broken(ask(user(image("A" * limit)))) == []
    assert broken(ask(user(image("A" * (limit + 4))))) == [("image-bytes", "messages.0.content.0")]


def test_images_inside_documents_and_results_are_seen() -> None:
    """An image in a document's blocks, in a tool result, is judged at its own path."""
    inner = {"type": "document", "source": {"type": "content", "content": [text(), image(media="image/tiff")]}}
    request = ask(user(), reply(call()), user(result(content=[inner])))
    path = "messages.2.content.0.content.0.source.content.1"
    assert broken(request) == [("image-source", path)]


@pytest.mark.parametrize("data", ["", "****", "iVBORw0KGgo=", "/9j/", "UklGRgAA"])
def test_unreadable_images_are_not_guessed_at(data: str) -> None:
    """Where the size cannot be read, none is held against the image."""
    assert pixels({"type": "base64", "data": data}) is None


def test_document_source() -> None:
    """A document points at something."""
    empty = {"type": "document", "source": {"type": "file"}}
    assert broken(ask(user(empty))) == [("document-source", "messages.0.content.0")]


@pytest.mark.parametrize(
    ("part", "rules"),
    [
        ({"type": "text", "text": "a", "annotations": None}, ["tool-result-content"]),
        ({"type": "audio", "data": "UklG", "mimeType": "audio/wav"}, ["tool-result-content"]),
        ({"type": "invoice", "id": 1}, ["tool-result-content"]),
        ("a", ["tool-result-content"]),
        ({"type": "text", "text": "a"}, []),
        ({"type": "tool_reference", "tool_name": "look"}, []),
    ],
)
def test_a_tool_result_holds_what_may_stand_in_one(part: Any, rules: list[str]) -> None:
    """Blocks of other formats, and fields of theirs, are refused inside a result, as the simulator refuses them."""
    body = ask(user(), reply(call()), user(result(content=[part])))
    assert [rule for rule, _ in broken(body)] == rules
    assert bool(Simulator().check(body)) is bool(rules)


def test_a_rule_of_ones_own_is_asked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule that is added, replaced or taken away holds for the next request."""

    def finding(said: str, _: object) -> list[tuple[str, str]]:
        return [("", said)]

    body = {"model": "claude-sonnet-5-5", "max_tokens": 100, "messages": [{"role": "user", "content": "HELLO"}]}
    assert check_request(body) == []
    for said in ("once", "twice"):
        monkeypatch.setitem(RULES, "mine", partial(finding, said))
        assert [problem.message for problem in check_request(body)] == [said]
    monkeypatch.delitem(RULES, "mine")
    assert check_request(body) == []
