"""The prompt cache: which prefix is read, what is written, what is billed fresh. Pure; the clock comes in.

A prompt is a run of positions (content blocks), each with a chained key of everything up to it, so equal
prefixes have equal keys. Entries are written only at breakpoints and found by looking back over at most 20
positions from each breakpoint ("Prompt caching" docs). It knows keys and sizes, never content, and serves
the simulator and a replay over bare sizes alike. Where the documentation is silent, `CacheRules` has a switch.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from sash.errors import InvalidOption
from sash.model.cards import TTL_SECONDS, Ttl
from sash.model.usage import Usage

LOOKBACK = 20
MAX_MARKERS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheRules:
    """What the documentation leaves unsaid; every default is the reading that saves the caller least."""

    through_expired: bool = False
    """A living entry can be read although an earlier segment of its prefix has expired."""
    refresh_whole_prefix: bool = True
    """A read refreshes every segment it passes, each with its own lifetime; else only the entry that was hit."""
    marker_lengthens: bool = False
    """A 1 h marker on a living 5 min entry makes it live for 1 h from then on, free of charge."""
    marker_in_read_writes: bool = False
    """A marker inside the part that was read becomes an entry of its own (else only what lies behind is written)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheBlock:
    """One position of a prompt: the key of the prefix that ends here, this block's tokens, its marker if any."""

    key: Hashable
    tokens: int
    marker: Ttl | None = None
    cacheable: bool = True
    """Thinking and empty blocks carry no marker: one set there is ignored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheUse:
    """The prompt tokens of one request, by how they are billed."""

    fresh: int
    read: int = 0
    write_5m: int = 0
    write_1h: int = 0

    @property
    def prompt(self) -> int:
        """All prompt tokens."""
        return self.fresh + self.read + self.write_5m + self.write_1h

    def usage(self, output: int = 0) -> Usage:
        """As a `Usage` with this many output tokens."""
        return Usage(fresh=self.fresh, read=self.read, write_5m=self.write_5m, write_1h=self.write_1h, output=output)


@dataclass(slots=True)
class _Entry:
    """A written segment: from the entry `parent` (None: from the start) up to its own key."""

    parent: Hashable | None
    ttl: Ttl
    expires: float
    readable_from: float


@dataclass(frozen=True, slots=True)
class Lookup:
    """What a request will read and write; `PromptCache.commit` makes it so once its reply has begun."""

    use: CacheUse
    scope: Hashable
    started: float
    hits: tuple[Hashable, ...]
    """Entries found, by marker; their segments are refreshed."""
    writes: tuple[tuple[Hashable, Hashable | None, Ttl], ...]
    """(key, parent, lifetime) of each new segment."""
    lengthened: tuple[Hashable, ...] = ()


@dataclass(slots=True)
class PromptCache:
    """All entries of one organization, apart by scope (workspace and model: nothing is ever shared between two)."""

    rules: CacheRules = field(default_factory=CacheRules)
    _scopes: dict[Hashable, dict[Hashable, _Entry]] = field(default_factory=dict)
    _sweep_at: int = 10_000

    def request(
        self,
        blocks: Sequence[CacheBlock],
        *,
        now: float,
        workspace: Hashable = "default",
        model: Hashable = "",
        minimum: int = 0,
        tail: int = 0,
        first_event_after: float = 0.0,
    ) -> CacheUse:
        """Send a prompt at `now` (seconds) and return how its tokens are billed.

        `minimum` is the model's smallest cacheable prefix, `tail` the tokens behind the last block; what is
        written can be read `first_event_after` seconds later.
        """
        markers = [(i, b.marker) for i, b in enumerate(blocks) if b.marker and b.cacheable]
        keys = [block.key for block in blocks]
        ends = list(accumulate(block.tokens for block in blocks))
        total = (ends[-1] if ends else 0) + tail
        scope = (workspace, model)
        lookup = self.look_up(keys, ends, markers, total=total, now=now, scope=scope, minimum=minimum)
        self.commit(lookup, now=now + first_event_after)
        return lookup.use

    def look_up(
        self,
        keys: Sequence[Hashable],
        ends: Sequence[int],
        markers: Sequence[tuple[int, Ttl]],
        *,
        total: int,
        now: float,
        scope: Hashable = "default",
        minimum: int = 0,
    ) -> Lookup:
        """What a request that starts `now` reads and would write. Changes nothing.

        `keys[i]` and `ends[i]`: key and total tokens of the prefix that ends with position i; `markers`:
        (position, lifetime) in order; `total`: all prompt tokens. Costs a few dozen look-ups whatever the
        prompt's length. Raises InvalidOption for more than 4 markers or markers out of order.
        """
        _check_markers(markers, len(keys))
        entries = self._scopes.get(scope, {})
        effective = [(at, ttl) for at, ttl in markers if ends[at] >= minimum]
        found = [hit for at, _ in effective if (hit := self._find(entries, keys, at, now)) is not None]
        furthest = max(found, default=-1)
        use = _bill(ends, effective, furthest, total)
        return Lookup(
            use=use,
            scope=scope,
            started=now,
            hits=tuple(keys[at] for at in sorted(set(found))),
            writes=tuple(self._segments(keys, effective, found)),
            lengthened=self._lengthened(keys, effective, found),
        )

    def commit(self, lookup: Lookup, *, now: float) -> None:
        """The reply begins `now`: refresh what was read, and let what was written be readable from here on.

        Lifetimes count from the START of the request ("Prompt caching" docs), not from here.
        """
        entries = self._scopes.setdefault(lookup.scope, {})
        for key in lookup.hits:
            self._refresh(entries, key, lookup.started)
        for key in lookup.lengthened:
            if key in entries:
                entries[key].ttl = "1h"
                entries[key].expires = max(entries[key].expires, lookup.started + TTL_SECONDS["1h"])
        for key, parent, ttl in lookup.writes:
            entries[key] = _Entry(parent, ttl, lookup.started + TTL_SECONDS[ttl], now)
        if len(entries) > self._sweep_at:
            self._sweep(entries, now)

    def alive(self, *, now: float, scope: Hashable | None = None) -> int:
        """How many entries could be read `now` (in one scope, or in all)."""
        scopes = self._scopes.values() if scope is None else [self._scopes.get(scope, {})]
        return sum(self._readable(entries, key, now) for entries in scopes for key in entries)

    def clear(self) -> None:
        """Forget every entry, as if all had expired."""
        self._scopes.clear()

    def _find(self, entries: dict[Hashable, _Entry], keys: Sequence[Hashable], at: int, now: float) -> int | None:
        """The nearest readable entry, looking back from a breakpoint (itself position 1 of 20)."""
        for position in range(at, max(-1, at - LOOKBACK), -1):
            if keys[position] in entries and self._readable(entries, keys[position], now):
                return position
        return None

    def _readable(self, entries: dict[Hashable, _Entry], key: Hashable, now: float) -> bool:
        """Whether the entry and all that it stands on are alive and readable."""
        at: Hashable | None = key
        while at is not None:
            entry = entries.get(at)
            if entry is None or now >= entry.expires or now < entry.readable_from:
                return False
            at = None if self.rules.through_expired else entry.parent
        return True

    def _refresh(self, entries: dict[Hashable, _Entry], key: Hashable, started: float) -> None:
        """Prolong the entry, and all that it stands on, by their own lifetimes."""
        at: Hashable | None = key
        while at is not None and (entry := entries.get(at)) is not None:
            entry.expires = max(entry.expires, started + TTL_SECONDS[entry.ttl])
            at = entry.parent if self.rules.refresh_whole_prefix else None

    def _segments(
        self, keys: Sequence[Hashable], markers: Sequence[tuple[int, Ttl]], found: Sequence[int]
    ) -> Iterator[tuple[Hashable, Hashable | None, Ttl]]:
        """The segments to be written: one per marker behind the furthest hit."""
        furthest = max(found, default=-1)
        parent = keys[furthest] if furthest >= 0 else None
        for at, ttl in markers:
            if at > furthest:
                yield keys[at], parent, ttl
                parent = keys[at]
            elif self.rules.marker_in_read_writes and at not in found:
                yield keys[at], None, ttl

    def _lengthened(
        self, keys: Sequence[Hashable], markers: Sequence[tuple[int, Ttl]], found: Sequence[int]
    ) -> tuple[Hashable, ...]:
        if not self.rules.marker_lengthens:
            return ()
        return tuple(keys[at] for at, ttl in markers if ttl == "1h" and at in found)

    def _sweep(self, entries: dict[Hashable, _Entry], now: float) -> None:
        """Drop what has expired; wait for twice the rest before looking again."""
        for key in [key for key, entry in entries.items() if entry.expires <= now]:
            del entries[key]
        self._sweep_at = max(10_000, 2 * len(entries))


def _bill(ends: Sequence[int], markers: Sequence[tuple[int, Ttl]], furthest: int, total: int) -> CacheUse:
    """Read up to A (the furthest hit), 1 h up to B (the last 1 h marker), 5 min up to C (the last), then fresh."""
    a = ends[furthest] if furthest >= 0 else 0
    b = max([ends[at] for at, ttl in markers if ttl == "1h" and at > furthest], default=a)
    c = max([ends[at] for at, _ in markers if at > furthest], default=b)
    return CacheUse(fresh=total - c, read=a, write_1h=b - a, write_5m=c - b)


def _check_markers(markers: Sequence[tuple[int, Ttl]], positions: int) -> None:
    if len(markers) > MAX_MARKERS:
        raise InvalidOption(
            f"{len(markers)} markers; a request takes {MAX_MARKERS}", option="markers", value=len(markers)
        )
    places = [at for at, _ in markers]
    if places != sorted(set(places)) or not all(0 <= at < positions for at in places):
        raise InvalidOption(f"markers must be at rising positions below {positions}", option="markers", value=places)
    lives = [TTL_SECONDS[ttl] for _, ttl in markers]
    if lives != sorted(lives, reverse=True):
        raise InvalidOption("1 h markers come before 5 min markers", option="markers", value=list(markers))
