"""The arithmetic of exact counts: totals from usage, differences, and what the next prompt will be.

After each reply the prompt's size is known exactly. Within an epoch the next prompt is that plus what was
appended, so only new turns are ever estimated; the difference of two totals is the exact size of what lay
between. That holds between clean requests only (see `Request.clean`). Values in, values out: what is
stored, and where, is somebody else's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sash.errors import InvalidOption
from sash.model.cards import Generation
from sash.model.counts import ZERO, Count
from sash.model.usage import Usage

Turn = int | str
"""The id of a turn, as the store keeps it."""

REPLY_SLACK = 8
"""Tokens by which a reply may cost more as part of a prompt than `output_tokens` said: its closing frame."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """A request whose exact size is known: `total` prompt tokens for these `turns` in this `epoch`, on `model`.

    `clean`: no server-tool loop, no compaction or context edit, no dropped thinking, no other model that answered.
    Otherwise the total holds, but says nothing about the sizes of its turns.
    """

    total: int
    turns: tuple[Turn, ...]
    epoch: Turn
    model: str
    clean: bool = True

    def __post_init__(self) -> None:
        if self.total < 0:
            raise InvalidOption(f"a prompt has 0 tokens or more, not {self.total}", option="total", value=self.total)

    @classmethod
    def from_wire(
        cls,
        usage: Mapping[str, Any],
        *,
        turns: Sequence[Turn],
        epoch: Turn,
        model: str,
        context_edited: bool = False,
        thinking_dropped: bool = False,
        elsewhere: bool = False,
    ) -> Anchor:
        """The anchor of a reply's `usage` as the API sent it: the last `message` iteration where there are several."""
        return cls(
            total=Usage.of_prompt(usage).prompt,
            turns=tuple(turns),
            epoch=epoch,
            model=model,
            clean=not (context_edited or thinking_dropped or elsewhere or _looped(usage)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What two clean requests tell: `turns` together are exactly `tokens`."""

    turns: tuple[Turn, ...]
    tokens: int


PARTIAL = 0.8
"""Share of the visible content below which `output_tokens` cannot be the whole reply."""


def difference(earlier: Anchor, later: Anchor) -> Difference | None:
    """The exact size of what was appended between two requests; None where their totals do not tell.

    They tell when both are clean, of one model and epoch, and the later view is the earlier one and more.
    """
    shared = len(earlier.turns)
    comparable = earlier.clean and later.clean and earlier.model == later.model and earlier.epoch == later.epoch
    if not comparable or later.turns[:shared] != earlier.turns or len(later.turns) == shared:
        return None
    tokens = later.total - earlier.total
    return Difference(turns=later.turns[shared:], tokens=tokens) if tokens > 0 else None


def reply_count(
    usage: Usage,
    visible: Count | None = None,
    *,
    thinking_kept: Literal["all", "last"] = "all",
    open_tools: bool = False,
) -> Count:
    """What a reply will add to the next prompt, known from its own usage before anything is estimated.

    Thinking stays on models that keep all of it, and on the others while a tool exchange is open
    ("Thinking", which earlier blocks stay in the context). `visible`, the estimate of the reply's blocks,
    stands where `output_tokens` falls far below it: that is the first event of a stream, not a total.
    """
    stays = thinking_kept == "all" or open_tools
    tokens = max(0, usage.output - (0 if stays else usage.thinking))
    if visible is not None and tokens < PARTIAL * visible.tokens:
        return visible
    return Count(tokens, tokens + REPLY_SLACK, "usage")


def shared_out(told: Difference, estimates: Mapping[Turn, Count]) -> dict[Turn, Count]:
    """The turns of a difference with their sizes, which sum to it exactly.

    One turn alone is exact; several share the sum in proportion to their estimates, and each says how far
    it may be off: by no more than the others' estimates might be.
    """
    counts = [estimates.get(turn, ZERO) for turn in told.turns]
    parts = apportion(told.tokens, [count.tokens for count in counts])
    if len(parts) == 1:
        return {told.turns[0]: Count.exact(told.tokens)}
    doubt = sum(count.margin for count in counts) + abs(told.tokens - sum(count.tokens for count in counts))
    return {
        turn: Count(part, min(told.tokens, part + doubt), "usage", count.base)
        for turn, part, count in zip(told.turns, parts, counts, strict=True)
    }


def apportion(total: int, estimates: Sequence[int]) -> tuple[int, ...]:
    """Share `total` tokens in proportion to `estimates`: each 0 or more, the sum exact (largest remainders)."""
    if total < 0 or any(estimate < 0 for estimate in estimates):
        raise InvalidOption(
            f"tokens to share and estimates are 0 or more, not {total} and {list(estimates)}",
            option="total",
            value=total,
        )
    if not estimates:
        return ()
    weights = list(estimates) if any(estimates) else [1] * len(estimates)
    whole = sum(weights)
    shares = [total * weight // whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda i: (-(total * weights[i] % whole), i))
    for i in by_remainder[: total - sum(shares)]:
        shares[i] += 1
    return tuple(shares)


def carried(count: Count, *, counted_on: Generation, wanted: Generation) -> Count | None:
    """A stored count for another model: an estimate within one tokenizer generation, None across generations.

    Exact it is only on the model whose usage said so: constants around the content differ by model.
    """
    if counted_on != wanted:
        return None
    return Count(count.tokens, count.upper + REPLY_SLACK, "estimate", count.base)


def _looped(usage: Mapping[str, Any]) -> bool:
    """Whether the server ran tools or a compaction inside the request: its totals then count several prompts."""
    iterations = usage.get("iterations") or []
    server = usage.get("server_tool_use") or {}
    return len(iterations) > 1 or any(server.values())
