"""What a library that knows the API less well gets wrong: forty traps, each with the tests that hold it open.

`TRAPS` is the index. Those that nothing else tests are tested here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import httpx2
import pytest
from anthropic import Anthropic
from genai_prices import Usage as ForeignUsage
from genai_prices import calc_price

from sash import Conversation, check_request
from sash.conversation.session import DEFAULT_MODEL
from sash.errors import RemoteError, ReplyInterrupted
from sash.model.cards import TABLE, card
from sash.model.usage import Usage
from sash.simulator import CutStream, Reply, Simulator

Talk = Callable[..., Conversation]
TEXT = {"type": "text", "text": "Hello."}
TESTS = Path(__file__).parents[1]

TRAPS: dict[str, tuple[str, ...]] = {
    "usage.input_tokens taken for the prompt": (
        "test_usage_on_the_wire_makes_an_anchor",
        "test_a_prompt_is_all_of_its_parts",
    ),
    "usage of a stream added up, or trusted without its end": (
        "test_streams_say_the_same_as_messages",
        "test_a_stream_that_just_ends_is_interrupted",
    ),
    "count_tokens taken as exact, or as part of the request limit": (
        "test_exact_count_is_the_endpoints_with_its_bound",
        "test_count_tokens_has_a_limit_of_its_own",
    ),
    "parameters of create given to count_tokens": ("test_count_params_leaves_out_what_count_tokens_refuses",),
    "counts carried over to another model": (
        "test_counts_never_cross_tokenizer_generations",
        "test_another_generation_never_reuses_exact_counts",
    ),
    "schemas, the preamble of tools, images or kept thinking not counted": (
        "test_tools_cost_their_prompt_and_definitions",
        "test_hidden_thinking_is_billed_and_counts_later",
    ),
    "images by width times height": ("test_documented_image_sizes", "test_images_count_as_documented"),
    "one price for reads and sizes": ("test_prices", "test_a_price_cliff_is_a_budget_of_its_own"),
    "iterations of a compaction not billed": ("test_what_it_costs_is_counted",),
    "another library's input_tokens are the total": ("test_the_bill_agrees_with_another_library",),
    "keys or tools in another order": (
        "test_key_order_inside_a_tool_input_matters",
        "test_blocks_keep_their_key_order_through_a_dump",
    ),
    "markers: too many, in the wrong order, on what changes": (
        "test_markers_are_four_at_most_and_the_longer_lives_first",
        "test_at_most_four_markers_the_automatic_one_included",
    ),
    "twenty blocks between two writes": ("test_a_marker_on_the_entry_itself_reads_it_however_far_the_end_is",),
    "a marker on thinking or empty text": ("test_blocks_that_take_no_marker",),
    "an error expected below the minimum": (
        "test_a_prefix_below_the_minimum_is_no_error",
        "test_nothing_below_the_minimum_is_marked",
    ),
    "a lifetime counted from the end of the reply": ("test_lifetime_counts_from_request_start",),
    "many cold requests at once": ("test_entries_cannot_be_read_before_the_first_event",),
    "tool_choice, thinking, effort or tools switched to and fro": (
        "test_a_change_loses_its_level_and_all_later_ones",
        "test_no_tools_for_once_keeps_them_in_the_prefix",
    ),
    "a window that slides at every turn": ("test_without_pauses_it_is_the_order_quantity",),
    "thinking kept behind an edited prefix": (
        "test_edits_are_refused",
        "test_thinking_is_stripped_at_a_cut_and_kept_between_cuts",
        "test_thinking_bound_elsewhere_is_stripped_once",
    ),
    "thinking dropped from the middle": ("test_any_walk_keeps_the_laws", "test_dropped_thinking_may_not_be_restored"),
    "a cut between call and result, text before results": (
        "test_any_walk_keeps_the_laws",
        "test_submit_takes_blocks_in_any_order",
    ),
    "instructions hoisted into system, or in the wrong place": (
        "test_system_turns_have_their_place",
        "test_models_without_system_turns_get_tagged_text",
    ),
    "a prefill": ("test_no_prefill_on_current_models",),
    "model_dump() stored and sent back": ("test_replies_are_recorded_without_nulls",),
    "citations of the user, documents of the assistant": ("test_documents_and_citations_under_the_new_version",),
    "content[0].text": ("test_the_text_of_a_reply_is_its_text_blocks",),
    "a refusal or a pause taken for success": (
        "test_a_refusal_withdraws_question_and_answer",
        "test_a_paused_reply_goes_on",
    ),
    "half a tool call replayed": (
        "test_half_a_tool_call_is_not_replayed",
        "test_a_reply_cut_by_max_tokens_in_a_tool_call_is_interrupted",
    ),
    "a thread of the server taken for the record": ("test_the_record_alone_makes_every_request",),
    "a signed block edited, doubled or without its beta": ("test_a_signed_compaction_block_comes_first_and_unchanged",),
    "reasoning expected to survive another model": ("test_another_model_gets_no_foreign_thinking",),
    "temperature": ("test_sampling_parameters_are_refused_since_the_new_version",),
    "a long reply without a stream": ("test_a_long_reply_streams_without_emitting",),
    "retries around retries, an hour's wait, a spent cap": ("test_what_waiting_does_not_mend_is_not_retried",),
    "OverloadedError expected inside a stream": ("test_overload_inside_a_stream_is_known_by_its_kind",),
    "closed lists of block types": ("test_unknown_block_types_pass", "test_an_unknown_block_is_quoted"),
    "TypedDicts taken for validation": ("test_what_typed_dicts_let_pass_is_caught",),
    "mocks of httpx, x-api-key": ("test_a_key_goes_out_as_the_sdk_sends_it",),
    "a default model that retires": ("test_the_default_model_stays",),
}
"""Each trap, and the names of its tests."""


@cache
def names() -> frozenset[str]:
    """Every test function there is."""
    text = "\n".join(path.read_text() for path in TESTS.rglob("test_*.py"))
    return frozenset(re.findall(r"^(?:async )?def (test_\w+)", text, re.MULTILINE))


@pytest.mark.parametrize("trap", TRAPS)
def test_every_trap_has_its_tests(trap: str) -> None:
    """The index names tests that exist."""
    assert TRAPS[trap]
    assert set(TRAPS[trap]) <= names()


def test_there_are_forty_of_them() -> None:
    """None is forgotten."""
    assert len(TRAPS) == 40


def test_a_prompt_is_all_of_its_parts(talk: Talk) -> None:
    """What was read from the cache and written to it belongs to the prompt, beside `input_tokens`."""
    chat = talk(system="You keep the harbour books. " * 200)
    chat.send("Hello.")
    usage = chat.send("And?").usage
    assert usage.read > 0
    assert usage.prompt == usage.fresh + usage.read + usage.write_5m + usage.write_1h > usage.fresh


@pytest.mark.parametrize("model", ["claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5", "claude-sonnet-4-6"])
def test_the_bill_agrees_with_another_library(model: str) -> None:
    """genai-prices wants the total where the API says `input_tokens`; given that, it comes to the same dollars."""
    usage = Usage(fresh=200, read=10_000, write_5m=400, write_1h=600, output=300)
    foreign = ForeignUsage(
        input_tokens=usage.prompt, cache_read_tokens=10_000, cache_write_tokens=1_000, cache_write_5m_tokens=400,
        cache_write_1h_tokens=600, output_tokens=300,
    )  # fmt: skip
    theirs = calc_price(foreign, model, provider_id="anthropic").total_price
    assert card(model).cost(usage) == pytest.approx(float(theirs))


def test_replies_are_recorded_without_nulls(talk: Talk, sim: Simulator) -> None:
    """The record holds what came, not the fields that the SDK adds to it."""
    sim.script([[{"type": "text", "text": "Look."}, {"type": "tool_use", "name": "look", "input": {"word": None}}]])
    chat = talk(tools=[{"name": "look", "input_schema": {"type": "object"}}])
    reply = chat.send("Hello.")
    for block in chat.history()[-1].blocks:
        assert not [name for name, value in block.items() if value is None]
    assert reply.tool_calls[0]["input"] == {"word": None}


def test_the_text_of_a_reply_is_its_text_blocks(talk: Talk, sim: Simulator) -> None:
    """Thinking in front, calls behind, or nothing at all: `text` is what was said."""
    call = {"type": "tool_use", "name": "look", "input": {}}
    sim.script([[{"type": "text", "text": "Let me look."}, call], Reply(content=[call], thinking="Well.")])
    chat = talk(tools=[{"name": "look", "input_schema": {"type": "object"}}])
    reply = chat.send("Hello.")
    assert reply.blocks[0]["type"] == "thinking"
    assert reply.text == "Let me look."
    assert chat.submit({reply.tool_calls[0]["id"]: "found"}).text == ""


def test_the_record_alone_makes_every_request(talk: Talk, sim: Simulator) -> None:
    """No request leans on a state of the server: each carries its messages, and none names a thread."""
    chat = talk()
    for number in range(3):
        chat.send(f"Question {number}")
    assert [len(attempt.body["messages"]) for attempt in sim.messages] == [1, 3, 5]
    assert not any("thread" in attempt.body for attempt in sim.messages)


def test_overload_inside_a_stream_is_known_by_its_kind(talk: Talk, sim: Simulator) -> None:
    """The status was 200 by then; the kind tells, and what had come is kept."""
    sim.fail_next(CutStream(events=6, how="error"))
    with pytest.raises(ReplyInterrupted) as caught, talk().stream("Tell me of the harbour.") as stream:
        stream.until_done()
    assert caught.value.status == 200
    assert caught.value.kind == "overloaded_error"


@pytest.mark.parametrize(
    ("messages", "rule"),
    [
        ([], "message-count"),
        ([{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "x", "content": "y"}]}], "tool-orphan"),
        (
            [{"role": "user", "content": [{**TEXT, "cache_control": {"type": "ephemeral", "ttl": "2h"}}]}],
            "marker-value",
        ),
    ],
)
def test_what_typed_dicts_let_pass_is_caught(messages: list[Any], rule: str) -> None:
    """No messages, an orphan, a lifetime that there is not: all of the right type, none of them legal."""
    found = check_request({"model": DEFAULT_MODEL, "max_tokens": 10, "messages": messages})
    assert rule in {problem.rule for problem in found}


def test_a_key_goes_out_as_the_sdk_sends_it() -> None:
    """As a bearer token, over httpx2."""
    seen: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(401, json={"type": "error", "error": {"type": "authentication_error", "message": "no"}})

    http = httpx2.Client(transport=httpx2.MockTransport(answer))
    with (
        Anthropic(api_key="secret", http_client=http, max_retries=0) as client,
        Conversation(client=client) as chat,
        pytest.raises(RemoteError),
    ):
        chat.send("Hello.")
    assert seen[-1].headers["authorization"] == "Bearer secret"
    assert "x-api-key" not in seen[-1].headers


def test_the_default_model_stays() -> None:
    """No end of its service has been announced."""
    assert DEFAULT_MODEL in TABLE
    assert card(DEFAULT_MODEL).retires is None
