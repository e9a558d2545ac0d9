"""From a reply to what is sent and billed: thoughts signed, ids given, cut where a limit or a stop sequence says.

Pure but for the counter that names tool calls. It knows the request and its prompt, not the cache or the wire.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sash.model.cards import ModelCard
from sash.simulator.checks import WITH_THINKING, thinking_mode
from sash.simulator.faults import Fault, Refusal, Stopped
from sash.simulator.prompt import THINKING, block_tokens, blocks_of
from sash.simulator.replies import Reply
from sash.simulator.thinking import Judgement, sign
from sash.simulator.tokens import Tokenizer, cut_text

WITHOUT_THINKING = "toolu_simN"
Thinker = Callable[[Mapping[str, Any]], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A reply as it goes out: content with ids and signatures, why it ended, output tokens."""

    content: tuple[Any, ...]
    stop_reason: str
    stop_sequence: str | None = None
    stop_details: Mapping[str, Any] | None = None
    output: int
    thinking: int = 0
    seconds: float = 0.0

    @property
    def searches(self) -> int:
        """Web searches that the server made for it."""
        return sum(_searches(block) for block in self.content)


@dataclass(slots=True, kw_only=True)
class Writer:
    """Writes the reply to one request."""

    body: Mapping[str, Any]
    card: ModelCard
    tokenizer: Tokenizer
    judged: Judgement
    organization: str
    betas: frozenset[str]
    room: int
    """Tokens left in the window behind the prompt."""
    names: Iterator[int]
    """Numbers for tool calls."""
    thinker: Thinker | None
    """Makes up thoughts; None: there are none."""
    _thought: bool = field(default=False)

    def write(self, reply: Reply, fault: Fault | None) -> Written:
        """The reply, bent by the fault if it is one that bends replies."""
        if self.body["max_tokens"] == 0:
            return Written(content=(), stop_reason="max_tokens", output=0, seconds=reply.seconds)
        if reply.raw:
            return self._as_it_is(reply)
        if isinstance(fault, Refusal):
            return self._refuse(reply, fault)
        blocks = self._found(reply) + self._thoughts(reply) + reply.blocks()
        if isinstance(fault, Stopped) and fault.reason == "pause_turn":
            blocks, reply = self._paused(blocks, fault), replace(reply, stop_reason="pause_turn")
        blocks, sequence = self._stopped_by_sequence(blocks)
        kept, reason = self._fit(blocks, *self._limit(fault))
        if reason is None:
            reason = "stop_sequence" if sequence else reply.stop_reason or _natural_stop(kept)
        return self._finish(kept, reason, sequence if reason == "stop_sequence" else reply.stop_sequence, reply)

    def _as_it_is(self, reply: Reply) -> Written:
        content = tuple(reply.content)
        calls = any(isinstance(block, Mapping) and block.get("type") == "tool_use" for block in content)
        counted = max(1, self.tokenizer(json.dumps(content)))
        return Written(
            content=content,
            stop_reason=reply.stop_reason or ("tool_use" if calls else "end_turn"),
            stop_sequence=reply.stop_sequence,
            stop_details=reply.stop_details,
            output=counted if reply.output_tokens is None else reply.output_tokens,
            seconds=reply.seconds,
        )

    def _finish(self, blocks: list[dict[str, Any]], reason: str, sequence: str | None, reply: Reply) -> Written:
        content, sizes = self._sealed(blocks)
        thinking = sum(size for block, size in zip(content, sizes, strict=True) if block["type"] in THINKING)
        counted = max(1, sum(sizes))
        return Written(
            content=tuple(content),
            stop_reason=reason,
            stop_sequence=sequence,
            stop_details=reply.stop_details,
            output=counted if reply.output_tokens is None else reply.output_tokens,
            thinking=thinking,
            seconds=reply.seconds,
        )

    def _refuse(self, reply: Reply, fault: Refusal) -> Written:
        partial = [{"type": "text", "text": fault.partial}] if fault.partial else []
        details = {"type": "refusal", "category": fault.category, "explanation": fault.explanation}
        return self._finish(partial, "refusal", None, replace(reply, stop_details=details, output_tokens=None))

    def _found(self, reply: Reply) -> list[dict[str, Any]]:
        """Going on after `pause_turn`: what its open searches found (nothing), where the reply does not say it."""
        last = self.body["messages"][-1]
        before = blocks_of(last["content"]) if last["role"] == "assistant" else []
        done = {block.get("tool_use_id") for block in (*before, *reply.blocks())}
        return [
            {"type": "web_search_tool_result", "tool_use_id": block["id"], "content": []}
            for block in before
            if block["type"] == "server_tool_use" and block["name"] == "web_search" and block["id"] not in done
        ]

    def _thoughts(self, reply: Reply) -> list[dict[str, Any]]:
        """The thought in front, where this request thinks now and the reply has none of its own."""
        own = any(block.get("type") in THINKING for block in reply.blocks())
        if self.thinker is None or own or not self._thinks_now():
            return []
        text = self.thinker(self.body) if reply.thinking is None else reply.thinking
        return [{"type": "thinking", "thinking": text}] if text else []

    def _thinks_now(self) -> bool:
        mode = thinking_mode(self.body, self.card)
        last = self.body["messages"][-1]
        between = any(block.get("type") == "tool_result" for block in blocks_of(last["content"]))
        if mode == "disabled" or last["role"] == "assistant":
            return False
        if mode == "between_tools":  # "off between tools"
            return not between
        return not (mode == "enabled" and between and "interleaved-thinking-2025-05-14" not in self.betas)

    def _paused(self, blocks: list[dict[str, Any]], fault: Stopped) -> list[dict[str, Any]]:
        call = {
            "type": "server_tool_use",
            "id": f"srvtoolu_sim{next(self.names):020d}",
            "name": "web_search",
            "input": {"query": "more"},
        }
        return [*self._cut(blocks, fault.tokens), call]

    def _limit(self, fault: Fault | None) -> tuple[int, str]:
        """The most output tokens, and the stop reason when they are reached."""
        limits = [(self.body["max_tokens"], "max_tokens"), (self.room, "model_context_window_exceeded")]
        if isinstance(fault, Stopped) and fault.reason != "pause_turn":
            limits.append((fault.tokens, fault.reason))
        return min(limits, key=lambda limit: limit[0])

    def _fit(self, blocks: list[dict[str, Any]], most: int, reason: str) -> tuple[list[dict[str, Any]], str | None]:
        if sum(map(self._size, blocks)) <= most:
            return blocks, None
        return self._cut(blocks, most), reason

    def _cut(self, blocks: Sequence[dict[str, Any]], most: int) -> list[dict[str, Any]]:
        """The first `most` tokens: texts are cut at a word, a tool call loses its input."""
        kept: list[dict[str, Any]] = []
        for block in blocks:
            if (size := self._size(block)) <= most:
                kept.append(block)
                most -= size
                continue
            if block["type"] == "tool_use":
                kept.append({**block, "input": {}})
            elif (kind := block["type"]) in ("text", "thinking"):
                text = cut_text(block[kind], most, self.tokenizer)
                kept += [{**block, kind: text}] if text else []
            break
        return kept

    def _size(self, block: Mapping[str, Any]) -> int:
        return block_tokens(block, self.card, self.tokenizer)

    def _stopped_by_sequence(self, blocks: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], str | None]:
        for index, block in enumerate(blocks):
            if block["type"] == "text":
                found = [(block["text"].find(s), s) for s in self.body.get("stop_sequences") or ()]
                places = sorted(place for place in found if place[0] >= 0)
                if places:
                    head = block["text"][: places[0][0]]
                    return [*blocks[:index], *([{**block, "text": head}] if head else [])], places[0][1]
        return blocks, None

    def _sealed(self, blocks: Sequence[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[int]]:
        """Blocks with ids and signatures, and their sizes."""
        chain = self.judged.chain.copy()
        content, sizes = [], []
        for block in blocks:
            sizes.append(self._size(block))
            block = self._named(self._signed(block, chain_size=sizes[-1], chain=chain))
            self._thought = self._thought or block["type"] in THINKING
            chain.fold("assistant", block)
            content.append(block)
        return content, sizes

    def _signed(self, block: dict[str, Any], *, chain_size: int, chain: Any) -> dict[str, Any]:
        if block["type"] == "thinking" and not block.get("signature"):
            text = block["thinking"] if self._displayed() else ""
            proof = sign(self.judged, self.card.id, self.organization, size=chain_size, text=text, chain=chain)
            return {"type": "thinking", "thinking": text, "signature": proof}
        if block["type"] == "redacted_thinking" and not block.get("data"):
            proof = sign(self.judged, self.card.id, self.organization, size=max(20, chain_size), text="", chain=chain)
            return {"type": "redacted_thinking", "data": proof}
        return block

    def _displayed(self) -> bool:
        """Thinking is shown as asked for; unasked, only models before 4.7 show it ("Thinking", display)."""
        asked = (self.body.get("thinking") or {}).get("display")
        return asked == "summarized" or (asked is None and self.card.generation == "v3")

    def _named(self, block: dict[str, Any]) -> dict[str, Any]:
        if block["type"] != "tool_use":
            return block
        start = WITH_THINKING if self._thought else WITHOUT_THINKING
        return {
            "type": "tool_use",
            "id": block.get("id") or f"{start}{next(self.names):020d}",
            "name": block["name"],
            "input": block.get("input") or {},
            "caller": {"type": "direct"},
            **{name: value for name, value in block.items() if name not in ("type", "id", "name", "input")},
        }


def _natural_stop(blocks: Sequence[Mapping[str, Any]]) -> str:
    return "tool_use" if any(block["type"] == "tool_use" for block in blocks) else "end_turn"


def _searches(block: Any) -> bool:
    return isinstance(block, Mapping) and block.get("type") == "server_tool_use" and block.get("name") == "web_search"
