"""Reading the window: what the next request is planned from, in O(view), and in O(what is new) when warm.

A window that was read stays in memory with its parsed turns; the next reading fetches only the newest
turns again, as long as no other connection has written to the file. Settled turns never change, so this
cannot go stale (see `sash.stores.cache`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

from sash.model.blocks import dumps
from sash.model.cards import Ttl
from sash.model.counts import Count
from sash.model.preamble import Preamble
from sash.model.summaries import Summary
from sash.model.window import Head, LastRequest, Loaded
from sash.stores import blobs, rows
from sash.stores.cache import UNSETTLED, Cache, KeptWindow
from sash.stores.heads import head_for, head_of
from sash.stores.summaries import newest, trouble
from sash.stores.transaction import Database, Row, Transaction

GAPS_READ = 64


class Windows:
    """Reads windows. See `sash.flows.record.Windows`."""

    def __init__(self, database: Database, cache: Cache) -> None:
        self._database, self._cache = database, cache
        self._lines = cache.lines

    def read(
        self,
        conversation: int,
        *,
        model: str,
        preamble: Preamble | None,
        reach: int | None = 0,
        base: str = "",
        near: frozenset[str] | None = None,
    ) -> Loaded:
        """All that the next request is planned from, in one snapshot."""
        with self._database.reading() as db:
            head = head_for(db, self._lines, head_of(db, self._lines, conversation), model)
            preamble = preamble or (head.epoch.preamble if head.epoch else Preamble())
            return self._loaded(db, head, model, preamble, reach, base, near)

    def _loaded(
        self,
        db: Transaction,
        head: Head,
        model: str,
        preamble: Preamble,
        reach: int | None,
        base: str,
        near: frozenset[str] | None,
    ) -> Loaded:
        first = self._first(db, head, reach)
        kept = self._turns(db, head, model, first, self._database.foreign_changes())
        summary = newest(db, self._lines, head.branch)
        pins, pinned = self._in_front(db, head, summary, first, model)
        instructions = self._instructions(db, head.branch, first, model)
        at, ttl = _preamble_use(db, preamble, model, near)
        return Loaded(
            head=head,
            turns=tuple(kept.turns),
            withdrawn=(*pinned.withdrawn, *kept.withdrawn),
            pinned_turns=tuple(pinned.turns),
            pinned_seqs=frozenset(pins),
            instructions=tuple(instructions.turns),
            counts=kept.counts | pinned.counts | instructions.counts,
            preamble_count=_preamble_count(db, preamble, model),
            last=self._last_request(db, head),
            preamble_at=at,
            preamble_ttl=ttl,
            gaps=_gaps(db, head.conversation),
            other_gaps=_other_gaps(db, head.conversation),
            learned=_learned(db, head.conversation),
            calibration=_calibration(db, model, base),
            summary=summary,
            block=newest(db, self._lines, head.branch, server=True),
            trouble=trouble(db, head.conversation),
            resumed=head.epoch is not None and head.epoch.id != _newest_epoch(db, head.conversation),
        )

    def _first(self, db: Transaction, head: Head, reach: int | None) -> int:
        """seq of the first turn of the window."""
        start = head.epoch.first_seq if head.epoch else head.seq + 1
        if reach is None:
            return 1
        return min(start, self._lines.reach_back(db, head.branch, head.seq, reach)) if reach else max(1, start)

    def _turns(self, db: Transaction, head: Head, model: str, first: int, changes: int | None) -> KeptWindow:
        kept = self._cache.windows.get(head.conversation)
        fits = kept is not None and (kept.changes, kept.branch, kept.model) == (changes, head.branch, model)
        if kept is None or not fits or kept.first > first:
            kept = KeptWindow(changes=changes or 0, branch=head.branch, model=model, first=first)
        newest = max((turn.seq for turn in kept.turns[-1:]), default=first - 1)
        kept.cut_to(first, newest - UNSETTLED)
        known = max(first - 1, newest - UNSETTLED)
        self._read_into(kept, db, known + 1, head.seq)
        if changes is not None:
            self._cache.windows[head.conversation] = kept
        return kept

    def _read_into(self, kept: KeptWindow, db: Transaction, first: int, last: int) -> None:
        self._keep(kept, db, self._lines.rows(db, kept.branch, first, last, kept.model))

    def _keep(self, kept: KeptWindow, db: Transaction, found: Iterable[Row]) -> None:
        for row in found:
            if row["state"] == "withdrawn":
                kept.withdrawn.append(row["seq"])
                continue
            kept.turns.append(blobs.turn(db, row))
            if (count := rows.count(row)) is not None:
                kept.counts[row["seq"]] = count

    def _in_front(
        self, db: Transaction, head: Head, summary: Summary | None, end: int, model: str
    ) -> tuple[list[int], KeptWindow]:
        """First seqs of the pinned exchanges, and the turns before `end` of all that may stand in front."""
        pins = self._pins(db, head)
        firsts = {*pins, *(head.epoch.pinned_seqs if head.epoch else ()), *self._verbatim_firsts(db, head, summary)}
        return pins, self._pinned(db, head.branch, sorted(p for p in firsts if p < end), end, model)

    def _verbatim_firsts(self, db: Transaction, head: Head, summary: Summary | None) -> set[int]:
        """First seqs of the exchanges that a summary wants kept beside it."""
        wanted = summary.verbatim if summary else ()
        return {self._lines.exchange_start(db, head.branch, seq) for seq in wanted}

    def _pins(self, db: Transaction, head: Head) -> list[int]:
        """First seqs of the exchanges of this branch that are pinned now."""
        found = db.execute(
            "SELECT t.seq, t.branch_id FROM pins p JOIN turns t ON t.id = p.turn_id "
            "WHERE p.conversation_id = ? AND t.state != 'withdrawn'",
            (head.conversation,),
        )
        return [row["seq"] for row in found if self._lines.holds(db, head.branch, row)]

    def _instructions(self, db: Transaction, branch: int, first: int, model: str) -> KeptWindow:
        """Turns of role system before the turn `first`."""
        found = KeptWindow(changes=0, branch=branch, model=model, first=0)
        self._keep(found, db, self._lines.instructions(db, branch, first - 1, model))
        return found

    def _pinned(self, db: Transaction, branch: int, firsts: Sequence[int], end: int, model: str) -> KeptWindow:
        """The exchanges that begin at `firsts`, as far as they lie before `end`."""
        found = KeptWindow(changes=0, branch=branch, model=model, first=0)
        for first in firsts:
            last = min(self._lines.exchange_end(db, branch, first), end - 1)
            self._read_into(found, db, first, last)
        return found

    def _last_request(self, db: Transaction, head: Head) -> LastRequest | None:
        """The newest answered request of this epoch whose turns all lie on this branch."""
        if head.epoch is None:
            return None
        spans = {segment: high for segment, _, high in self._lines.segments(db, head.branch)}
        for row in db.execute(
            "SELECT * FROM requests WHERE epoch_id = ? AND usage IS NOT NULL AND state <> 'failed' ORDER BY id DESC",
            (head.epoch.id,),
        ):
            if row["last_seq"] <= spans.get(row["branch_id"], -1):
                return replace(rows.last_request(row), first=_first_tail(db, head.epoch.id))
        return None


def _newest_epoch(db: Transaction, conversation: int) -> int:
    """id of the epoch of a conversation's newest request; 0 where there is none."""
    row = db.one(
        "SELECT epoch_id FROM requests WHERE conversation_id = ? ORDER BY number DESC LIMIT 1", (conversation,)
    )
    return int(row["epoch_id"]) if row else 0


def _first_tail(db: Transaction, epoch: int) -> int:
    """seq of the newest turn that an epoch's first request sent."""
    row = db.one("SELECT last_seq FROM requests WHERE epoch_id = ? ORDER BY id LIMIT 1", (epoch,))
    return int(row["last_seq"])


def _preamble_count(db: Transaction, preamble: Preamble, model: str) -> Count | None:
    row = db.one(
        "SELECT tokens, upper, source, base FROM preamble_counts n JOIN preambles p ON p.id = n.preamble_id "
        "WHERE p.hash = ? AND n.model = ?",
        (preamble.hash, model),
    )
    return rows.count(row) if row else None


def _preamble_use(
    db: Transaction, preamble: Preamble, model: str, near: frozenset[str] | None
) -> tuple[float | None, Ttl]:
    """When any conversation last sent this preamble with a marker on it, and the lifetime it asked for."""
    keys = None if near is None else dumps(sorted(near))
    row = db.one(
        "SELECT r.at, r.markers FROM requests r JOIN preambles p ON p.id = r.preamble_id "
        "WHERE p.hash = ?1 AND r.model = ?2 AND r.usage IS NOT NULL "
        f"AND (r.key IN {db.sql.among_names('?3')} OR ?3 IS NULL) ORDER BY r.at DESC LIMIT 1",
        (preamble.hash, model, keys),
    )
    marked = [m["ttl"] for m in json.loads(row["markers"]) if m["role"] == "preamble"] if row else []
    return (row["at"], marked[0]) if marked else (None, "5m")


def _gaps(db: Transaction, conversation: int) -> tuple[float, ...]:
    """The newest gaps between plain requests, start to start, newest last."""
    found = db.execute(
        "SELECT at FROM requests WHERE conversation_id = ? AND plain ORDER BY id DESC LIMIT ?",
        (conversation, GAPS_READ + 1),
    )
    times = [row["at"] for row in found][::-1]
    return tuple(max(0.0, later - earlier) for earlier, later in pairwise(times))


def _other_gaps(db: Transaction, conversation: int) -> tuple[float, float, float]:
    """The namespace's sums less this conversation's own."""
    row = db.one(
        "SELECT coalesce(sum(g.within_5m * s.sign), 0.0) AS m, coalesce(sum(g.within_1h * s.sign), 0.0) AS h, "
        "coalesce(sum(g.total * s.sign), 0.0) AS n "
        "FROM conversations c CROSS JOIN (SELECT 1 AS sign UNION ALL SELECT -1) s JOIN gaps g "
        "ON g.namespace = c.namespace AND g.conversation_id = CASE s.sign WHEN 1 THEN 0 ELSE c.id END "
        "WHERE c.id = ?",
        (conversation,),
    )
    return row["m"], row["h"], row["n"]


def _calibration(db: Transaction, model: str, base: str) -> str:
    row = db.one("SELECT state FROM calibration WHERE model = ? AND base = ?", (model, base))
    return str(row["state"]) if row else ""


def _learned(db: Transaction, conversation: int) -> dict[str, object]:
    row = db.one("SELECT learned FROM conversations WHERE id = ?", (conversation,))
    learned: dict[str, object] = json.loads(row["learned"])
    return learned
