"""Server-side compaction: on demand (a signed block and nothing else) and by threshold (`compact_20260112`).

Both summarise by quoting, as all replies do, and bill what they read and write as an iteration of its own ("Compaction"
and "Compaction on demand" docs). Where the seal of a block is made and judged: `sealing`. Knows neither cache nor wire.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sash.model.cards import ModelCard
from sash.model.usage import Usage
from sash.simulator.editing import THRESHOLD
from sash.simulator.faults import Fault, Refusal, Stopped
from sash.simulator.replies import Reply
from sash.simulator.sealing import seal
from sash.simulator.summarising import compacted
from sash.simulator.thinking import Judgement
from sash.simulator.tokens import Tokenizer
from sash.simulator.writing import Written

TRIGGER = 150_000
MOST_TOKENS = 4_000
"""The longest summary that is written, in tokens; the real one is not documented."""


def asked(body: Mapping[str, Any]) -> bool:
    """Whether this is a compaction request."""
    return bool(body.get("compaction"))


def on_demand(
    body: Mapping[str, Any],
    card: ModelCard,
    tokenizer: Tokenizer,
    judged: Judgement,
    reply: Reply | None,
    fault: Fault | None,
) -> Written:
    """The answer to a compaction request; `reply` is scripted, None: the simulator's own summary.

    Without a summary (refused, cut by max_tokens, a tool call) the content is empty and the stop reason says why.
    """
    if reply is not None and any(block["type"] == "tool_use" for block in reply.blocks()):
        return _nothing("tool_use", 20)
    if isinstance(fault, Refusal):
        return _nothing("refusal", 1)
    if isinstance(fault, Stopped):
        return _nothing(fault.reason, fault.tokens)
    text = _scripted(reply) if reply is not None else summary(body, tokenizer, _room(body))
    size = tokenizer(text)
    if not text:
        return _nothing((reply.stop_reason if reply else None) or "end_turn", 1)
    if size > body["max_tokens"]:
        return _nothing("max_tokens", body["max_tokens"])
    block = seal(text, card, body, chain=judged.chain, before=judged.before, previous=judged.previous)
    return Written(content=(block,), stop_reason="compaction", output=size)


def _room(body: Mapping[str, Any]) -> int:
    return min(MOST_TOKENS, int(body["max_tokens"]) * 3 // 4)


def _scripted(reply: Reply) -> str:
    return "\n".join(str(block["text"]) for block in reply.blocks() if block["type"] == "text")


def _nothing(reason: str, output: int) -> Written:
    return Written(content=(), stop_reason=reason, output=output)


def summary(body: Mapping[str, Any], tokenizer: Tokenizer, most: int) -> str:
    """What a conversation says, in at most `most` tokens (a few sentences at the least)."""
    share = 0.25
    text = compacted(body, share)
    while tokenizer(text) > most and share > 1e-4:
        share *= min(0.8, most / tokenizer(text))
        text = compacted(body, share)
    return text


def edit_of(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The threshold edit that the body asks for, if it does."""
    edits = (body.get("context_management") or {}).get("edits") or []
    return next((edit for edit in edits if edit["type"] == THRESHOLD), None)


def trigger_of(edit: Mapping[str, Any]) -> int:
    """Prompt tokens above which the API compacts."""
    return int((edit.get("trigger") or {}).get("value", TRIGGER))


def triggered(body: Mapping[str, Any], size: int) -> bool:
    """Whether a prompt of `size` tokens is compacted by threshold."""
    edit = edit_of(body)
    return edit is not None and size > trigger_of(edit)


def pauses(body: Mapping[str, Any]) -> bool:
    """Whether the reply ends behind the block."""
    edit = edit_of(body)
    return edit is not None and bool(edit.get("pause_after_compaction"))


def behind(body: Mapping[str, Any], block: Mapping[str, Any]) -> dict[str, Any]:
    """The body that the model goes on with: the block in the place of everything before."""
    return {**body, "messages": [{"role": "assistant", "content": [block]}]}


def iteration(kind: str, usage: Usage, model: str) -> dict[str, Any]:
    """An entry of `usage.iterations`; that of a fallback names its model."""
    return {
        "type": kind,
        **({"model": model} if kind == "fallback_message" else {}),
        "input_tokens": usage.fresh,
        "cache_creation_input_tokens": usage.write,
        "cache_read_input_tokens": usage.read,
        "cache_creation": {"ephemeral_5m_input_tokens": usage.write_5m, "ephemeral_1h_input_tokens": usage.write_1h},
        "output_tokens": usage.output,
    }
