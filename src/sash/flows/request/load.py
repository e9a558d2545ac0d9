"""From what the store holds to what the planner needs: sizes, anchors, cache state, gaps.

Every turn's size is taken from the record where it is known, and estimated once where it is not. The
last request's usage is the anchor: the next prompt is that, its reply, and what was appended since.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from math import ceil
from operator import attrgetter
from typing import Any

from sash.counting.ledger import Anchor, reply_count
from sash.counting.measure import Measure
from sash.counting.unseen import allowance
from sash.flows.context import Counter, Sizes
from sash.flows.request.sizes import MeasuredSizes, size
from sash.model.blocks import text_block
from sash.model.cards import TTL_SECONDS, ModelCard
from sash.model.counts import ZERO, Count
from sash.model.epochs import Marker
from sash.model.options import asked_format
from sash.model.preamble import Preamble
from sash.model.summaries import Summary
from sash.model.turns import Attachment
from sash.model.window import LastRequest, Loaded
from sash.planning.cache.breakpoints import STABLE
from sash.planning.cache.restless import Restless, watch
from sash.planning.inputs import Memory, Settings
from sash.planning.rules import open_calls
from sash.planning.situation import Gaps, Warmth
from sash.planning.summaries.compaction import most_of_block
from sash.planning.survey import Survey, surveyed

DECAY = 0.93
"""Weight of a gap against the one after it."""
PRIOR = 4.0
"""How many gaps of one's own the experience of all other conversations is worth."""
_SEQ = attrgetter("seq")


@dataclass(frozen=True, kw_only=True)
class Sized:
    """A memory, and the sizes that had to be estimated for it (by seq), to be stored."""

    memory: Memory
    estimated: Mapping[int, Count]
    preamble_estimated: Count | None
    last: LastRequest | None
    """the last request, if what it sent is still the beginning of what will be sent"""

    @cached_property
    def anchor(self) -> Anchor | None:
        """The same as the ledger sees it: its total, and the turns that made it up."""
        memory, last, epoch = self.memory, self.last, self.memory.epoch
        if last is None or epoch is None:
            return None
        turns = memory.loaded.turns
        begin, end = bisect_left(turns, epoch.first_seq, key=_SEQ), bisect_right(turns, last.sent.last, key=_SEQ)
        shown = [*map(_SEQ, memory.in_front), *map(_SEQ, turns[begin:end])]
        if epoch.relief.dropped:
            shown = [seq for seq in shown if seq not in epoch.relief.dropped]
        return Anchor.from_wire(last.wire, turns=tuple(shown), epoch=epoch.id, model=epoch.model)


def remember(loaded: Loaded, settings: Settings, counter: Counter, sizes: Sizes, survey: Survey | None = None) -> Sized:
    """Build the planner's memory of a conversation; `survey`: of the window's turns, where it is at hand.

    Turns estimated before are found in `sizes`, new ones put there.
    """
    estimated = _estimated(loaded, settings, counter, sizes)
    counts = {**loaded.counts, **estimated} if estimated else loaded.counts
    preamble = loaded.preamble_count or preamble_size(settings.preamble, settings, counter)
    last = _clean(loaded, settings)
    anchor, anchor_seq = _anchor(last, loaded, counts, settings.card) if last else (None, 0)
    now, before = format_size(settings.options, counter), format_size(last.sent.options if last else {}, counter)
    epoch = loaded.epoch
    restless, lost = _restless(loaded, settings), _lost(last, settings)
    summary, tail = _in_front(loaded, settings, counter, sizes), _tail(last) if last else None
    memory = Memory(
        loaded=loaded,
        counts=counts,
        fixed=preamble + now,
        anchor=anchor if anchor is None or now == before else _reformatted(anchor, before, now),
        anchor_seq=anchor_seq,
        tail=tail,
        warmth=_warmth(loaded, last, tail, settings, lost, restless),
        lost=lost,
        gaps=gaps(loaded),
        summary=summary,
        summary_size=summary_size(summary, settings.model, counter, sizes),
        present_size=summary_size(epoch.summary if epoch else None, settings.model, counter, sizes),
        cleared_sizes=MeasuredSizes(loaded, counts, settings, counter, sizes),
        attachment_counts=_attached(survey or surveyed(Survey(), loaded.turns), settings, counter, sizes),
        unseen=_unseen(loaded.last, counter),
        restless=restless,
        asked=last is not None and last.why.get("source") == "endpoint",
    )
    return Sized(
        memory=memory,
        estimated=estimated,
        preamble_estimated=None if loaded.preamble_count else preamble,
        last=last if now == before else None,
    )


def _estimated(loaded: Loaded, settings: Settings, counter: Counter, sizes: Sizes) -> dict[int, Count]:
    """Sizes of turns that the record does not know, by seq."""
    found = {}
    for turn in loaded.all_turns if loaded.uncounted else ():
        if turn.seq in loaded.uncounted:
            key = (settings.model, turn.id, turn.state)
            found[turn.seq] = sizes[key] = sizes.get(key) or size(turn, counter, settings.card)
    return found


def forget_stored(sized: Sized, model: str, sizes: Sizes) -> None:
    """The record holds what was estimated for a request from now on: `sizes` need not."""
    for turn in sized.memory.loaded.all_turns if sized.estimated else ():
        if turn.seq in sized.estimated:
            sizes.pop((model, turn.id, turn.state), None)
    if not sizes:
        sizes.clear()  # gives back the room that they took


def _restless(loaded: Loaded, settings: Settings) -> Restless:
    """Whether the preamble changes from request to request, by the last one; the strategy's cuts are no change."""
    last, epoch = loaded.last, loaded.head.epoch
    if last is None or epoch is None:
        return Restless()
    found = watch(epoch.preamble, settings.preamble, last.why.get("restless") or {})
    marked = [m for m in last.sent.markers if m.role == STABLE and (m.place, m.block) == found.stable]
    if not marked:
        return found
    return replace(found, until=last.at + TTL_SECONDS[marked[0].ttl], known=last.usage.read + last.usage.write)


def _unseen(last: LastRequest | None, counter: Counter) -> float:
    """What to allow for beside the bounds of what is sent, by how the last request's bound held."""
    before = float(last.why.get("unseen", 0.0)) if last else 0.0
    if last is None or last.why.get("source") == "endpoint" or not last.usage.prompt:
        return before  # the endpoint counts what else the API will add
    return allowance(before, real=last.usage.prompt, bound=last.upper - ceil(before), seen=counter.unseen)


def _attached(survey: Survey, settings: Settings, counter: Counter, sizes: Sizes) -> dict[int, Count]:
    """Sizes of what is attached to the turns of a window, by seq."""
    found = {}
    for turn in survey.attached:
        if turn.attachment is not None:
            key = (settings.model, turn.id, "attached")
            found[turn.seq] = sizes[key] = sizes.get(key) or counter.count(measure_attached(turn.attachment, counter))
    return found


def measure_attached(attached: Attachment, counter: Counter) -> Measure:
    """What an attachment adds to its turn: blocks, and no frame of its own."""
    whole = counter.measure_message("user", attached.blocks)
    parts = {name: amount for name, amount in whole.parts.items() if name != "user"}
    return replace(whole, parts={**parts, "block": parts.get("block", 0) + 1})


def _in_front(loaded: Loaded, settings: Settings, counter: Counter, sizes: Sizes) -> Summary | None:
    """What a cut would bring in: the API's own block where the strategy has it compact, a summary of ours elsewhere."""
    if not settings.traits.server:
        return loaded.summary
    size = summary_size(loaded.block, settings.model, counter, sizes)
    usable = settings.card.compaction and size.tokens <= most_of_block(settings.budget)
    return loaded.block if usable else None


def summary_size(summary: Summary | None, model: str, counter: Counter, sizes: Sizes) -> Count:
    """What the user turn weighs that carries a summary."""
    if summary is None:
        return ZERO
    key = (model, summary.id, "summary")
    if key not in sizes:
        blocks = [text_block(summary.text)] if summary.signed else summary.blocks
        sizes[key] = counter.count(counter.measure_message(summary.role, blocks))
    return sizes[key]


def preamble_size(preamble: Preamble, settings: Settings, counter: Counter) -> Count:
    """Estimate tools, system and what the API adds for them and for the options."""
    options = settings.options
    return counter.preamble(
        preamble.system_blocks,
        preamble.tool_list,
        options.get("tool_choice"),
        thinking=options.get("thinking"),
    )


def format_size(options: Mapping[str, Any], counter: Counter) -> Count:
    """What an output format adds to a prompt; it belongs to the request, not to the preamble."""
    if not asked_format(options):
        return ZERO
    with_it, without = counter.preamble(output_config=options["output_config"]), counter.preamble()
    tokens = max(0, with_it.tokens - without.tokens)
    return Count(tokens, max(tokens, with_it.upper - without.tokens), "estimate", with_it.base)


def _reformatted(total: Count, before: Count, now: Count) -> Count:
    """A known total, had the request asked for another format."""
    tokens = max(0, total.tokens - before.tokens + now.tokens)
    return Count(tokens, max(tokens, total.upper + now.upper), "estimate", before.base or now.base)


def _clean(loaded: Loaded, settings: Settings) -> LastRequest | None:
    """The last request, if what it sent is still the beginning of what would be sent."""
    last, epoch = loaded.last, loaded.epoch
    if last is None or epoch is None or epoch.model != settings.model or epoch.preamble != settings.preamble:
        return None
    gone = {seq for seq in loaded.withdrawn if epoch.first_seq <= seq <= last.sent.last}
    return last if gone <= set(last.sent.left_out) else None


def _anchor(last: LastRequest, loaded: Loaded, counts: Mapping[int, Count], card: ModelCard) -> tuple[Count, int]:
    """The exact size of the last prompt plus its reply, and the seq up to which that counts."""
    prompt = Count.exact(last.usage.prompt)
    at = bisect_right(loaded.turns, last.sent.last, key=_SEQ)
    reply = loaded.turns[at] if at < len(loaded.turns) else None
    if reply is None or reply.seq != last.sent.last + 1 or reply.role != "assistant":
        return prompt, last.sent.last
    if reply.state == "interrupted":
        return prompt + counts[reply.seq], reply.seq
    running = bool(open_calls(reply.blocks, ()))
    return prompt + reply_count(last.usage, thinking_kept=card.thinking_kept, open_tools=running), reply.seq


def _tail(last: LastRequest) -> Marker | None:
    """The marker on the newest turn that the last request wrote an entry at."""
    on_turns = [marker for marker in last.sent.markers if marker.place == "turn"]
    return on_turns[-1] if on_turns and last.usage.read + last.usage.write else None


FORMAT = "output format"
"""Loses the system level of the cache too: the model is told of it there ("Structured outputs")."""


def _lost(last: LastRequest | None, settings: Settings) -> str:
    """The option that changed since the last request and lost what was cached; "" where none did."""
    if last is None or last.sent.options == settings.options:
        return ""
    now, before = _decisive(settings.options, settings.card), _decisive(last.sent.options, settings.card)
    return next((name for name in now if before[name] != now[name]), "")


def _decisive(options: Mapping[str, Any], card: ModelCard) -> dict[str, Any]:
    """The options on which cached messages depend ("Prompt caching", what invalidates the cache).

    A default that is written out is no change, nor is what else stands beside the kind of thinking.
    """
    usual = "adaptive" if card.thinking_default else "disabled"
    choice, thinking = options.get("tool_choice") or {}, options.get("thinking") or {}
    return {
        FORMAT: asked_format(options),
        "effort": (options.get("output_config") or {}).get("effort"),
        "thinking": (thinking.get("type") or usual, thinking.get("budget_tokens")),
        "tool choice": (choice.get("type") or "auto", choice.get("name"), choice.get("disable_parallel_tool_use")),
    }


def _warmth(
    loaded: Loaded, last: LastRequest | None, tail: Marker | None, settings: Settings, lost: str, restless: Restless
) -> Warmth:
    """What the cache holds; `lost`: the option that changed since the last request, which wrote up to `tail`."""
    until = 0.0
    if loaded.preamble_at is not None and lost != FORMAT:
        until = loaded.preamble_at + TTL_SECONDS[loaded.preamble_ttl]
    if last is None or tail is None or lost or not settings.key.reads(last.sent.key):
        return Warmth(preamble_until=until, preamble_ttl=loaded.preamble_ttl, stable_until=restless.until)
    return Warmth(
        preamble_until=until,
        preamble_ttl=loaded.preamble_ttl,
        tail_until=last.at + TTL_SECONDS[tail.ttl],
        tail_ttl=tail.ttl,
        tail_tokens=last.usage.read + last.usage.write,
        stable_until=restless.until,
    )


def gaps(loaded: Loaded) -> Gaps:
    """This conversation's gaps, the newest weighing most, over a prior from the database's others."""
    within_5m = within_1h = total = 0.0
    for gap in loaded.gaps:
        within_5m = within_5m * DECAY + (gap <= TTL_SECONDS["5m"])
        within_1h = within_1h * DECAY + (gap <= TTL_SECONDS["1h"])
        total = total * DECAY + 1.0
    others_5m, others_1h, others = loaded.other_gaps
    weight = min(1.0, PRIOR / others) if others else 0.0
    return Gaps(
        within_5m=within_5m + weight * others_5m,
        within_1h=within_1h + weight * others_1h,
        total=total + weight * others,
        here=total,
    )
