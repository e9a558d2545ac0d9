"""The prompt cache of one conversation on bare sizes: what a request reads, writes and pays fresh.

The same rules as the simulator's `PromptCache` (a test holds them equal), on positions instead of
content, so that a replay of many thousand requests takes seconds. A view is known by its start; its
entries stand at requests. A prefix is readable up to its first expired segment, a read refreshes every
segment it passes, lifetimes count from request start, and nothing below the minimum is kept ("Prompt
caching" docs). It knows no strategy and no prices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sash.model.cards import TTL_SECONDS, Ttl
from sash.model.usage import Usage
from sash.planning.situation import Marks, Warmth


@dataclass(slots=True)
class Segment:
    """A written run of the prompt up to `end` tokens, alive until `until` (seconds)."""

    end: int
    ttl: Ttl
    until: float
    whole: bool = False
    """begins with the prompt, not behind the preamble"""


@dataclass(slots=True)
class BareCache:
    """What is cached of the preamble and of every view that was sent; `request` bills the next one."""

    preamble: int
    minimum: int
    _head: list[Segment] = field(default_factory=list)
    _views: dict[int, list[Segment]] = field(default_factory=dict)

    def request(self, start: int, prompt: int, marks: Marks, now: float) -> Usage:
        """Bill a prompt of `prompt` tokens (preamble included) whose view begins at exchange `start`."""
        segments = self._readable(start, marks, now)
        read = segments[-1].end if segments else 0
        for segment in segments:
            segment.until = now + TTL_SECONDS[segment.ttl]
        written = self._write(segments, prompt, marks, now)
        if segments and segments[0].end == self.preamble:
            self._head, segments = segments[:1], segments[1:]
        self._views[start] = segments
        sums = {ttl: sum(size for kind, size in written if kind == ttl) for ttl in TTL_SECONDS}
        return Usage(read=read, write_5m=sums["5m"], write_1h=sums["1h"], fresh=prompt - read - sums["5m"] - sums["1h"])

    def _readable(self, start: int, marks: Marks, now: float) -> list[Segment]:
        """The segments up to the first that has expired, if a marker finds them.

        A planner marks the last written tail while it is alive, so that no lookback can miss it; the
        preamble is found by its own marker only.
        """
        view, alive = self._views.get(start, []), []
        for segment in (*self._head, *view) if not self._apart(view) else view:
            if now >= segment.until:
                break
            alive.append(segment)
        return alive if marks.preamble or len(alive) > len(self._head) or self._apart(view) else []

    def _apart(self, view: list[Segment]) -> bool:
        """Whether the view was written in one piece with the preamble."""
        return bool(view) and view[0].whole

    def _write(self, segments: list[Segment], prompt: int, marks: Marks, now: float) -> list[tuple[Ttl, int]]:
        """Append a segment for each marker behind what was read; returns (lifetime, tokens) of each."""
        written = []
        wanted: Sequence[tuple[int, Ttl | None]] = ((self.preamble, marks.preamble), (prompt, marks.tail))
        for end, ttl in wanted:
            reached = segments[-1].end if segments else 0
            if ttl is not None and end > reached and end >= self.minimum:
                segments.append(Segment(end, ttl, now + TTL_SECONDS[ttl], whole=not reached and end > self.preamble))
                written.append((ttl, end - reached))
        return written

    def warmth(self, start: int) -> Warmth:
        """What a planner would believe of the view that begins at `start`."""
        head = self._head[0] if self._head else None
        view = self._views.get(start, [])
        below = [] if head is None or self._apart(view) else [head]
        return Warmth(
            preamble_until=head.until if head else 0.0,
            preamble_ttl=head.ttl if head else "5m",
            tail_until=min(segment.until for segment in (*below, *view)) if view else 0.0,
            tail_ttl=view[-1].ttl if view else "5m",
            tail_tokens=view[-1].end if view else 0,
        )
