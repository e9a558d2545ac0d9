"""From bodies to prompts: what changes a key, what does not, and what counts."""

from __future__ import annotations

import copy
import hashlib
from statistics import median
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sash.model.cards import card
from sash.simulator import PromptRules
from sash.simulator.prompt import Prompt, canonical, content_digest, render
from sash.simulator.tokens import tokenizer_for

from .samples import MODEL, OLD, SCHEMA, TOOL, assistant, body, call, image, result, text, user

BASE = body(
    user("What is the weather?", image()),
    assistant("Let me look.", call(order=1)),
    user(result(), "And tomorrow?"),
    tools=[TOOL],
    system=[text("You are kind.")],
)


def shown(sent: dict[str, Any], **options: Any) -> Prompt:
    """The prompt of a body."""
    known = card(sent["model"])
    return render(sent, known, tokenizer=tokenizer_for(known), **options)


def changed(**fields: Any) -> dict[str, Any]:
    """The base body with other fields."""
    return {**copy.deepcopy(BASE), **fields}


def kept(sent: dict[str, Any], **options: Any) -> str:
    """Which levels keep their keys, compared with the base: t(ools), s(ystem), m(essages)."""
    old, new = shown(BASE, **options), shown(sent, **options)
    same = [mine == other for mine, other in zip(old.keys, new.keys, strict=False)]
    return "".join(name for name, alike in zip("tsm", same, strict=False) if alike)


def test_appending_keeps_every_earlier_key_and_size() -> None:
    """A conversation that only grows keeps its prefix, position by position."""
    longer = changed(messages=[*BASE["messages"], assistant("Rain."), user("Thanks.")])
    old, new = shown(BASE), shown(longer)
    assert new.keys[: len(old.keys)] == old.keys
    assert new.ends[: len(old.ends)] == old.ends


SAME = {
    "a marker": changed(system=[text("You are kind.", "1h")]),
    "system as a string": changed(system="You are kind."),
    "nulls": changed(system=[{"type": "text", "text": "You are kind.", "citations": None}]),
    "field order": changed(system=[{"text": "You are kind.", "type": "text"}]),
    "default tool choice": changed(tool_choice={"type": "auto", "disable_parallel_tool_use": False}),
    "default effort": changed(output_config={"effort": "high"}),
    "default thinking": changed(thinking={"type": "adaptive"}),
    "display": changed(thinking={"type": "adaptive", "display": "summarized"}),
    "max_tokens": changed(max_tokens=7),
    "metadata": changed(metadata={"user_id": "u"}),
    "stream": changed(stream=True),
}


@pytest.mark.parametrize("sent", SAME.values(), ids=SAME.keys())
def test_what_is_no_change_keeps_all_keys(sent: dict[str, Any]) -> None:
    """Markers, forms of the same content, explicit defaults and limits are not part of the prompt."""
    assert shown(sent).keys == shown(BASE).keys


LEVELS = {
    "tools": (changed(tools=[{**TOOL, "description": "other"}]), ""),
    "tool schema key order": (
        changed(tools=[{**TOOL, "input_schema": dict(reversed(SCHEMA.items()))}]),
        "",
    ),
    "system": (changed(system="You are cross."), "t"),
    "speed": (changed(speed="fast"), "t"),
    "output format": (changed(output_config={"format": {"type": "json_schema", "schema": {}}}), "t"),
    "tool choice": (changed(tool_choice={"type": "none"}), "ts"),
    "parallel tools": (changed(tool_choice={"type": "auto", "disable_parallel_tool_use": True}), "ts"),
    "thinking": (changed(thinking={"type": "between_tools"}), "ts"),
    "effort": (changed(output_config={"effort": "low"}), "ts"),
    "an image at the end": (changed(messages=[*BASE["messages"], assistant("a"), user("b", image())]), "ts"),
    "no image": (changed(messages=[user("What is the weather?"), *BASE["messages"][1:]]), "ts"),
}


@pytest.mark.parametrize(("sent", "levels"), LEVELS.values(), ids=LEVELS.keys())
def test_a_change_loses_its_level_and_all_later_ones(sent: dict[str, Any], levels: str) -> None:
    """The table of the "Prompt caching" documentation: tools, then system, then messages."""
    assert kept(sent) == levels


def test_unclear_losses_are_switches() -> None:
    """Whether a further image, or a changed effort, loses more or less can be chosen."""
    more = changed(messages=[*BASE["messages"], assistant("a"), user("b", image())])
    assert kept(more, rules=PromptRules(images="presence")) == "tsm"
    assert kept(changed(output_config={"effort": "low"}), rules=PromptRules(thinking_loses="all")) == ""


def test_key_order_inside_a_tool_input_matters() -> None:
    """The same input in another key order is another prefix."""
    calls = [shown(body(user("a"), assistant(call(a=1, b=2)), user(result()), tools=[TOOL])).keys[-1]]
    calls += [shown(body(user("a"), assistant(call(b=2, a=1)), user(result()), tools=[TOOL])).keys[-1]]
    assert calls[0] != calls[1]


@given(st.text(st.characters()), st.booleans(), st.sampled_from([{}, {"citations": None}, {"citations": []}]))
def test_a_text_is_known_by_its_canonical_form(words: str, marked: bool, more: dict[str, Any]) -> None:
    """Whatever it says: what it is hashed by is the JSON that the model would be shown, marked or not."""
    block = {**text(words, "5m" if marked else None), **more}
    assert content_digest(block) == hashlib.blake2b(canonical(block), digest_size=16).digest()


def test_deferred_tools_are_not_in_the_prompt() -> None:
    """A tool with `defer_loading` neither counts nor changes a key."""
    lazy = {**TOOL, "name": "other", "defer_loading": True}
    assert shown(changed(tools=[TOOL, lazy])) == shown(BASE)


def test_automatic_marker_goes_to_the_last_block_that_can_carry_one() -> None:
    """Top-level cache_control marks the last block; a thinking block is passed over."""
    thought = {"type": "thinking", "thinking": "", "signature": "s"}
    sent = body(user("a"), assistant("b", thought), cache_control={"type": "ephemeral", "ttl": "1h"})
    assert shown(sent).markers == ((1, "1h"),)
    explicit = body(user(text("a", "5m")), cache_control={"type": "ephemeral"})
    assert shown(explicit).markers == ((0, "5m"),)


def test_what_stands_before_a_compaction_block_is_ignored() -> None:
    """Sent along or left away, the summarised messages make the same prompt."""
    summary = assistant({"type": "compaction", "content": "They talked."})
    tail = [user("And now?")]
    long_one = body(user("one"), assistant("two"), user("three"), summary, *tail)
    assert shown(long_one).keys == shown(body(summary, *tail)).keys


def test_older_models_drop_the_thinking_of_earlier_turns() -> None:
    """On models that keep only the last turn's thinking, earlier thoughts are not in the prompt; on others they are."""
    thought = {"type": "thinking", "thinking": "A long thought about the weather of tomorrow.", "signature": "s"}
    with_thought = [user("a"), assistant(thought, "b"), user("c")]
    without = [user("a"), assistant("b"), user("c")]
    assert shown(body(*with_thought, model=OLD)).total == shown(body(*without, model=OLD)).total
    assert shown(body(*with_thought, model=MODEL)).total > shown(body(*without, model=MODEL)).total


def test_frames_of_the_old_tokenizer() -> None:
    """Recorded requests: one message costs its text and 7 tokens; a further pair 6 more."""
    words = tokenizer_for(card(OLD))("hello")
    assert shown(body(user("hello"), model=OLD)).total == words + 7
    assert shown(body(user("hello"), assistant("hello"), user("hello"), model=OLD)).total == 3 * words + 13
    assert shown(body(user("hello"), user("hello"), model=OLD)).total == 2 * words + 8


def test_counts_are_those_of_recorded_requests(recordings: list[dict[str, Any]]) -> None:
    """Over recorded requests with text and client tools, the median is within 5 % of the bill, 85 % within 15 %."""
    ratios = []
    for entry in recordings:
        sent, usage = entry["req"], entry["resp"].get("usage") if isinstance(entry["resp"], dict) else None
        client_tools = all((tool.get("type") or "custom") == "custom" for tool in sent.get("tools") or [])
        if entry["status"] == 200 and usage and client_tools and not usage.get("server_tool_use"):
            billed = sum(usage.get(f"{kind}input_tokens") or 0 for kind in ("", "cache_read_", "cache_creation_"))
            if sent["model"] in KNOWN and '"url"' not in str(sent) and "document" not in str(sent):
                ratios.append(shown(sent).total / billed)
    assert len(ratios) > 100
    assert abs(median(ratios) - 1) < 0.05
    assert sum(0.85 < ratio < 1.15 for ratio in ratios) / len(ratios) > 0.85


KNOWN = {"claude-sonnet-4-5", "claude-sonnet-4-6", "claude-haiku-4-5", "claude-opus-4-8", "claude-sonnet-5"}
