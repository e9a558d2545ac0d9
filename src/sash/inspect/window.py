"""What stands in a request, part by part: its kind, its tokens and where they are known from, why it is in. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sash.flows.history.branch import PastRequest
from sash.model.counts import Count
from sash.model.epochs import Epoch, Marker
from sash.model.preamble import Preamble
from sash.model.turns import Attachment, Source, Turn
from sash.planning.cache.breakpoints import UNCHANGED
from sash.planning.explain import PLACES
from sash.planning.plan import Plan

SHOWN = 240
"""Parts that are told apart; of more, neighbouring turns are shown as one."""
PER_TOKEN = 4
"""Characters of a token, roughly: for what nobody counted by itself."""
NEW = "it is said with this request"


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowPart:
    """A part of what is sent."""

    kind: str
    """preamble, profile, summary, instruction, pinned, recalled, user or assistant"""
    name: str
    tokens: int
    source: str
    """usage, endpoint or estimate"""
    cached: bool
    """whether the last request left it in the prompt cache"""
    why: str
    seq: int = 0
    """of its turn, the first of several; 0: it is none"""

    @property
    def told(self) -> str:
        """All of it in words."""
        size = f"{self.tokens:,} tokens ({self.source})"
        return f"{self.name}: {size}, {'in the cache' if self.cached else 'not in the cache yet'}. {self.why}."


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkerLine:
    """A cache marker, in words."""

    what: str
    ttl: str
    where: str


def marker_lines(markers: Sequence[Marker]) -> list[MarkerLine]:
    """The markers of a request, in its order."""
    return [
        MarkerLine(
            what=PLACES.get(one.role, one.role),
            ttl=one.ttl,
            where=f"turn {one.seq}" if one.place == "turn" else one.place,
        )
        for one in markers
    ]


def planned_parts(plan: Plan, new: str = NEW) -> list[WindowPart]:
    """The parts of a request that is planned. `new`: why what is said with it is in."""
    front = plan.situation.fixed.tokens - plan.situation.front
    cached = _cached_to(plan.expected.read, plan.sent.markers, front)
    return window_parts(plan.epoch, plan.turns, plan.sizes, Count(front, front, plan.prompt.source, ""), cached, new)


def past_parts(past: PastRequest) -> list[WindowPart]:
    """The parts of a request that was sent; those that it read from the cache, as usage says."""
    read = past.request.usage.read if past.request.usage else 0
    cached = _cached_to(read, past.request.sent.markers, past.preamble.tokens if past.preamble else 0)
    return window_parts(past.epoch, past.turns, past.sizes, past.preamble, cached)


def _cached_to(read: int, markers: Sequence[Marker], preamble: int) -> int | None:
    """The last seq of what is read from the cache: the marker on the last tail says where that ended."""
    if not read:
        return None
    ends = [marker.seq for marker in markers if marker.role in ("previous tail", UNCHANGED)]
    return max(ends, default=0) if read > preamble else 0


def window_parts(
    epoch: Epoch | None,
    turns: Sequence[Turn],
    counts: Mapping[int, Count],
    preamble: Count | None,
    cached: int | None,
    new: str = NEW,
) -> list[WindowPart]:
    """The parts in the order they are sent. `counts`: by seq.

    `cached`: the last seq in the cache; 0: nothing behind tools and system prompt, None: not even these.
    """
    parts, cached = [], -1 if cached is None else cached
    if preamble is not None and preamble.tokens and epoch is not None and epoch.preamble != Preamble():
        what, why = "tools and system prompt", "in front of every request"
        parts.append(_part("preamble", what, preamble, preamble.tokens, cached >= 0, why))
    parts += _summary(epoch, cached > 0)
    for turn in turns:
        parts += _attached(turn, epoch, turn.seq <= cached)
        parts.append(_turn(turn, epoch, counts.get(turn.seq), turn.seq <= cached, new))
    return merged(parts)


def merged(parts: Sequence[WindowPart]) -> list[WindowPart]:
    """Not more parts than can be told apart."""
    if len(parts) <= SHOWN:
        return list(parts)
    many = -(-len(parts) // SHOWN)
    return [_joined(parts[at : at + many]) for at in range(0, len(parts), many)]


def _joined(group: Sequence[WindowPart]) -> WindowPart:
    first, last = group[0], group[-1]
    if first is last:
        return first
    return replace(
        first,
        name=f"{first.name} to {last.name}",
        tokens=sum(part.tokens for part in group),
        source="sum",
        cached=all(part.cached for part in group),
    )


def _part(kind: str, name: str, count: Count | None, tokens: int, cached: bool, why: str, seq: int = 0) -> WindowPart:
    source = count.source if count is not None else "estimate"
    return WindowPart(kind=kind, name=name, tokens=tokens, source=source, cached=cached, why=why, seq=seq)


def _summary(epoch: Epoch | None, cached: bool) -> list[WindowPart]:
    """The summary in front, if one stands there; by its length, for its size is known with its turns' only."""
    if epoch is None or epoch.summary is None:
        return []
    tokens = max(1, len(epoch.summary.text) // PER_TOKEN)
    why = "it stands for turns that left the window; the turns themselves are kept"
    return [_part("summary", f"summary of the turns up to {epoch.summary.upto}", None, tokens, cached, why)]


def _turn(turn: Turn, epoch: Epoch | None, count: Count | None, cached: bool, new: str) -> WindowPart:
    first = epoch.first_seq if epoch else 1
    kind, name = str(turn.role), f"{turn.role}'s turn {turn.seq}"
    why = f"the window begins at turn {first}" if first > 1 else "nothing has left the window yet"
    if turn.role == "system":
        kind, why = "instruction", "an instruction stays in force wherever the window begins"
    elif turn.seq < first:
        kind, name, why = "pinned", f"pinned turn {turn.seq}", "its exchange is pinned"
    if turn.id == 0:
        name, why = f"what is said next (turn {turn.seq})", new
    tokens = count.tokens if count else max(1, len(turn.content) // PER_TOKEN)
    return _part(kind, name, count, tokens, cached and turn.id != 0, why, turn.seq)


def _attached(turn: Turn, epoch: Epoch | None, cached: bool) -> list[WindowPart]:
    """What is sent in front of a turn: of its user, of what they asked to hold, of what answers it."""
    if turn.attachment is None or epoch is None or not epoch.shows(turn):
        return []
    sources = turn.attachment.sources
    kind = "profile" if all(one.profiled for one in sources) else "recalled"
    if sources and all(one.instructs for one in sources):
        kind = "instruction"
    name = f"{'profile' if kind == 'profile' else 'quoted'} in front of turn {turn.seq}"
    return [_part(kind, name, None, turn.attachment.tokens, cached, told_sources(turn.attachment), turn.seq)]


def told_sources(attached: Attachment, most: int = 12) -> str:
    """Where what is quoted comes from, and why each turn was chosen."""
    told = [_told(source) for source in attached.sources[:most]]
    more = len(attached.sources) - len(told)
    return "; ".join([*told, f"and {more} more"] if more else told) or "quoted from the record"


def _told(source: Source) -> str:
    place = f" of {source.place}" if source.place else ""
    why = {"profile": "known of the user", "instruction": "asked to hold"}.get(source.why, source.why)
    return f"turn {source.seq}{place} ({why})"
