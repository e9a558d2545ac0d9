"""What a request is expected to read, write and pay anew, and what the prompt will cost.

Follows the billing positions of the "Prompt caching" docs: A = the furthest marker whose entry is alive,
B = the last 1 h marker behind it, C = the last marker; read = A, 1 h write = B - A, 5 min write = C - B,
the rest at the base price. The reply is not foreseen. Tokens and dollars.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sash.model.cards import ModelCard
from sash.model.epochs import Expected, Marker
from sash.model.usage import Usage
from sash.planning.cache.breakpoints import STABLE, UNCHANGED
from sash.planning.situation import Size, Warmth


def expect(
    prompt: Size,
    markers: Sequence[Marker],
    *,
    preamble: int,
    base: int,
    warmth: Warmth,
    same_epoch: bool,
    now: float,
    card: ModelCard,
    unchanged: int = 0,
) -> Expected:
    """Predict one request. `preamble`, `base` and `unchanged` are the prefix sizes at those markers."""
    sizes = {"base": base, UNCHANGED: unchanged, "previous tail": warmth.tail_tokens}
    read = last = last_1h = 0
    for marker in markers:
        end = _end(marker, prompt.tokens, preamble, sizes, warmth)
        if end < card.cache_minimum:
            continue
        last = max(last, end)
        if marker.ttl == "1h":
            last_1h = max(last_1h, end)
        if _alive(marker, warmth, same_epoch, now):
            read = max(read, end)
    write_1h = max(0, last_1h - read)
    usage = Usage(
        read=read,
        write_1h=write_1h,
        write_5m=max(0, last - read - write_1h),
        fresh=max(0, prompt.tokens - max(last, read)),
    )
    dollars = card.price(usage.prompt).of(usage) if card.prices else None
    return Expected(
        prompt=prompt.tokens, upper=prompt.upper, read=read, write=usage.write, fresh=usage.fresh, dollars=dollars
    )


def _end(marker: Marker, prompt: int, preamble: int, sizes: Mapping[str, int], warmth: Warmth) -> int:
    """Size of the prefix that ends at the marker."""
    if marker.place != "turn":
        # An estimated preamble cannot be larger than an exact prefix that holds it.
        return min(preamble, prompt, warmth.tail_tokens or prompt)
    return min(sizes.get(marker.role, prompt), prompt)


def _alive(marker: Marker, warmth: Warmth, same_epoch: bool, now: float) -> bool:
    if marker.role == STABLE:
        return warmth.stable_until > now
    if marker.role == "preamble":
        return warmth.preamble_until > now
    if marker.role == UNCHANGED:
        return warmth.tail_until > now
    return marker.role == "previous tail" and same_epoch and warmth.tail_until > now
