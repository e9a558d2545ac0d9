"""Signed compaction blocks: how they are sealed, where they may stand, and what they leave valid.

A seal names the model, the preamble, the digest of all that was summarised (thinking left out), the role that spoke
last there and the chain of thoughts; check sums guard the content, the tool changes and the whole. So a block proves
itself to any simulator, and thinking in turns that directly follow what it stands for stays valid ("Compaction on
demand", "Compaction that keeps recent turns", "Compaction and preserved thinking" docs). Knows no prices.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sash.model.cards import ModelCard, base_name
from sash.simulator.prompt import Block, Chain, blocks_of, canonical, preamble_chain
from sash.simulator.shapes import JsonObject, Problem

DEMAND_BETA = "compact-2026-09-04"
MAX_INSTRUCTIONS = 16_384
_MARK = "simc1"
_FIELDS = frozenset({"type", "content", "signature", "tool_changes", "cache_control"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """What a compaction block's signature says."""

    model: str
    binds: bool
    """The model that wrote it preserves thinking: so turns kept behind the block may keep theirs."""
    preamble: str
    prefix: str
    role: str
    before: int
    previous: str
    content: str
    tool_changes: str


def seal(
    content: str, card: ModelCard, body: JsonObject, *, chain: Chain, before: int, previous: str
) -> dict[str, Any]:
    """The signed block that stands for everything in `body`, whose digest is `chain`."""
    parts = [
        _MARK,
        base_name(card.id),
        str(int(card.thinking_bound)),
        preamble_chain(body).bare.hex(),
        chain.bare.hex(),
        chain.role or "-",
        str(before),
        previous,
        _sum(content),
        _sum([]),
    ]
    signature = ".".join([*parts, _sum(parts)])
    return {"type": "compaction", "content": content, "signature": signature, "tool_changes": []}


def _sum(value: Any) -> str:
    return hashlib.blake2b(canonical({"value": value}), digest_size=8, key=b"sash compaction").hexdigest()


def read(block: Block) -> Seal | None:
    """What the block's signature says; None where this simulator did not write it, or not like this."""
    parts = str(block.get("signature") or "").split(".")
    if len(parts) != 11 or parts[0] != _MARK or _sum(parts[:-1]) != parts[-1]:
        return None
    _, model, binds, preamble, prefix, role, before, previous, content, changes, _ = parts
    return Seal(
        model=model,
        binds=binds == "1",
        preamble=preamble,
        prefix=prefix,
        role=role,
        before=int(before),
        previous=previous,
        content=content,
        tool_changes=changes,
    )


def resumed(block: Block, body: JsonObject) -> Seal | None:
    """The seal of a block behind which kept turns go on as if nothing had been summarised; None: they do not."""
    found = read(block)
    if found is None or not found.binds or found.preamble != preamble_chain(body).bare.hex():
        return None
    first = body["messages"][0]
    following = body["messages"][0] if len(blocks_of(first["content"])) > 1 else next(iter(body["messages"][1:]), None)
    if following is None or following["role"] in (found.role, "system"):
        return None
    return found


def problems(body: JsonObject, card: ModelCard, betas: frozenset[str]) -> Iterator[Problem]:
    """Why a compaction request, or a signed block that comes back, would be refused."""
    if body.get("compaction") is not None:
        yield from _request(body, card)
    yield from _blocks(body, betas)


def _request(body: JsonObject, card: ModelCard) -> Iterator[Problem]:
    asked = body["compaction"]
    if not isinstance(asked, Mapping) or asked.get("type") != "summarize":
        yield Problem(rule="compaction", message="compaction.type: Input should be 'summarize'")
        return
    for name in asked:
        if name not in ("type", "instructions"):
            yield Problem(rule="compaction", message=f"compaction.{name}: Extra inputs are not permitted")
    instructions = asked.get("instructions")
    if not isinstance(instructions, str | None) or len(instructions or "") > MAX_INSTRUCTIONS:
        message = f"compaction.instructions: String should have at most {MAX_INSTRUCTIONS} characters"
        yield Problem(rule="compaction", message=message)
    if not card.compaction:
        yield Problem(rule="compaction", message=f"compaction: {card.id} does not support compaction on demand")
    for name, clash in _clashes(body).items():
        if clash:
            yield Problem(rule="compaction", message=f"{name}: cannot be combined with compaction")
    yield from _summarisable(body["messages"])


def _clashes(body: JsonObject) -> dict[str, Any]:
    config = body.get("output_config") or {}
    return {
        "context_management": body.get("context_management"),
        "stop_sequences": body.get("stop_sequences"),
        "output_config.format": config.get("format"),
        "output_config.task_budget.remaining": (config.get("task_budget") or {}).get("remaining"),
        "tool_choice": (body.get("tool_choice") or {}).get("type") in ("any", "tool"),
    }


def _summarisable(messages: Sequence[JsonObject]) -> Iterator[Problem]:
    said = [block for m in messages if m["role"] != "system" for block in blocks_of(m["content"])]
    if not any(block.get("type") != "compaction" for block in said):
        yield _coded("compaction_nothing_to_summarize", "messages: there is nothing to summarize")
    last = messages[-1]
    if last["role"] == "assistant" and any(b.get("type") == "tool_use" for b in blocks_of(last["content"])):
        message = f"messages.{len(messages) - 1}: the conversation ends on an assistant turn that is not finished"
        yield _coded("compaction_incomplete_turn", message)


def _blocks(body: JsonObject, betas: frozenset[str]) -> Iterator[Problem]:
    found = [
        (index, place, message["role"], block)
        for index, message in enumerate(body["messages"])
        for place, block in enumerate(blocks_of(message["content"]))
        if block.get("type") == "compaction" and block.get("content")
    ]
    if not any("signature" in block for *_, block in found):
        return  # compaction by threshold: unsigned, and the last one counts
    if len(found) > 1:
        yield _coded("compaction_block_ambiguous", "messages: more than one `compaction` block; send only the last")
    index, place, role, block = found[0]
    at = f"messages.{index}.content.{place}"
    if DEMAND_BETA not in betas:
        yield Problem(rule="compaction", message=f"{at}.compaction.signature: Extra inputs are not permitted")
    if (index, place) != (0, 0) or role == "system":
        yield _coded("compaction_block_misplaced", f"{at}: the `compaction` block must be the first block")
    for name, value in block.items():
        if name not in _FIELDS or value is None:
            yield Problem(rule="compaction", message=f"{at}.compaction.{name}: send the block back as it was returned")
    yield from _sealed(block, at)


def _sealed(block: Block, at: str) -> Iterator[Problem]:
    sealed = read(block)
    if sealed is None:
        yield _coded("compaction_signature_invalid", f"{at}: the `signature` of the `compaction` block does not verify")
    elif sealed.content != _sum(block["content"]):
        yield _coded("compaction_content_mismatch", f"{at}: the `content` differs from what its `signature` recorded")
    elif sealed.tool_changes != _sum(block.get("tool_changes")):
        yield _coded("compaction_tool_changes_mismatch", f"{at}: `tool_changes` differs from what was returned")


def _coded(code: str, message: str) -> Problem:
    return Problem(rule=code, message=message, code=code)
