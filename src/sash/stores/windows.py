"""Reading the window: what the next request is planned from, in O(view), and in O(what is new) when warm.

A window that was read stays in memory with its parsed turns. As long as the conversation has the version it was read
at, only what other conversations change is asked for (`shared`); and that is read ahead, in the transaction in
which the caller's turn to write comes. Else the newest turns are read again, or all (see `sash.stores.cache`).
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from functools import partial
from itertools import pairwise
from operator import attrgetter

from sash.model.frozen import with_fields
from sash.model.preamble import Preamble
from sash.model.summaries import Summary
from sash.model.turns import Turn
from sash.model.window import Head, LastRequest, Loaded
from sash.stores import blobs, rows, wordings
from sash.stores.cache import UNSETTLED, Cache, KeptWindow
from sash.stores.heads import head_for, head_of
from sash.stores.shared import Shared, SharedFor, shared
from sash.stores.summaries import newest, trouble_of
from sash.stores.transaction import Database, Row, Transaction

_BESIDE = (
    "SELECT c.learned, (SELECT epoch_id FROM requests WHERE conversation_id = c.id ORDER BY number DESC LIMIT 1) "
    "AS newest_epoch, EXISTS (SELECT 1 FROM pins WHERE conversation_id = c.id) AS pinned, "
    "EXISTS (SELECT 1 FROM summaries WHERE branch_id = c.branch_id AND state = 'ready') AS summarised, "
    "EXISTS (SELECT 1 FROM turns WHERE branch_id = c.branch_id AND role = 'system') AS instructed, j.* "
    "FROM conversations c LEFT JOIN summary_jobs j ON j.conversation_id = c.id WHERE c.id = ?"
)
"""What a strategy learned of a conversation, the epoch of its newest request, its job of making a summary; and which of
what stands beside its turns there is, on its present branch alone, so that nothing else is asked for."""


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
        asked = partial(SharedFor, model=model, base=base, near=near)
        wanted = asked(preamble=preamble.hash) if preamble is not None else None
        ahead = self._cache.ahead.pop(conversation, None)
        if ahead is not None and ahead.asked == wanted and (found := self._remembered(conversation, ahead, reach)):
            return found
        with self._database.reading() as db:
            now = None
            if wanted is not None:
                now = shared(db, conversation, wanted)
                self._check_whole(db, conversation, now)
                if found := self._remembered(conversation, now, reach):
                    return found
            head = head_for(db, self._lines, self._head(db, conversation, now), model)
            known = head.epoch.preamble if head.epoch else Preamble()
            now = now or shared(db, conversation, asked(preamble=known.hash))
            return self._loaded(db, head, model, reach, now)

    def _head(self, db: Transaction, conversation: int, now: Shared | None) -> Head:
        """Where the conversation stands: as it was found when it was opened, if nothing changed since."""
        opened = self._cache.opened.pop(conversation, None)
        if now is None or opened is None or (opened.version, opened.changes) != (now.version, now.changes):
            return head_of(db, self._lines, conversation)
        return with_fields(opened.head, forgotten=now.forgotten)

    def look_ahead(self, db: Transaction, conversation: int) -> None:
        """Whoever's turn it is to write asks for the window next: read in this transaction what may have changed."""
        kept = self._cache.windows.get(conversation)
        if kept is not None and kept.whole is not None and kept.asked is not None:
            now = shared(db, conversation, kept.asked)
            self._check_whole(db, conversation, now)
            self._cache.ahead[conversation] = now

    def _remembered(self, conversation: int, now: Shared, reach: int | None) -> Loaded | None:
        """The window, if it is remembered as it stands."""
        kept = self._cache.windows.get(conversation)
        whole = kept.whole_at(now.version, now.asked.model, reach) if kept is not None else None
        return None if whole is None else now.with_window(whole)

    def _check_whole(self, db: Transaction, conversation: int, now: Shared) -> None:
        """Forget a window of which turns are missing: a person may change the file with other tools, too."""
        kept = self._cache.windows.get(conversation)
        if kept is None or not kept.turns or not kept.may_be_damaged(now.changes):
            return
        first, last = kept.turns[0].seq, kept.turns[-1].seq
        if self._lines.count(db, kept.branch, first, last) == len(kept.turns):
            kept.changes = now.changes
        else:
            self._cache.windows.pop(conversation, None)

    def _loaded(self, db: Transaction, head: Head, model: str, reach: int | None, now: Shared) -> Loaded:
        first = self._first(db, head, reach)
        kept = self._turns(db, head, model, first, now.version)
        turns = kept.turns[bisect_left(kept.turns, first, key=attrgetter("seq")) :]
        beside = db.one(_BESIDE, (head.conversation,))
        shares = self._lines.shares(db, head.branch)
        summarised, instructed = (beside[name] or shares for name in ("summarised", "instructed"))
        summary = newest(db, self._lines, head.branch) if summarised else None
        pins = self._pins(db, head) if beside["pinned"] else []
        pinned = self._pinned(db, head.branch, self._firsts_in_front(db, head, pins, summary, first), first, model)
        instructions = self._instructions(db, head.branch, first if instructed else 0, model)
        counts = kept.counts | pinned.counts | instructions.counts
        gaps, kept.plain_at = _gaps(db, head.conversation)
        loaded = Loaded(
            head=head,
            turns=tuple(turns),
            withdrawn=(*pinned.withdrawn, *(seq for seq in kept.withdrawn if seq >= first)),
            pinned_turns=tuple(pinned.turns),
            pinned_seqs=frozenset(pins),
            instructions=tuple(instructions.turns),
            counts=counts,
            uncounted=_seqs(*turns, *pinned.turns, *instructions.turns).difference(counts),
            preamble_count=now.preamble_count,
            last=self._last_request(db, head),
            preamble_at=now.preamble_at,
            preamble_ttl=now.preamble_ttl,
            gaps=gaps,
            other_gaps=now.other_gaps,
            learned=json.loads(beside["learned"]),
            calibration=now.calibration,
            summary=summary,
            block=newest(db, self._lines, head.branch, server=True) if summarised else None,
            trouble=trouble_of(beside),
            resumed=head.epoch is not None and head.epoch.id != beside["newest_epoch"],
        )
        kept.asked, kept.changes, kept.whole = now.asked, now.changes, (now.version, reach, loaded)
        self._cache.keep(head.conversation, kept)
        return loaded

    def _first(self, db: Transaction, head: Head, reach: int | None) -> int:
        """seq of the first turn of the window."""
        start = head.epoch.first_seq if head.epoch else head.seq + 1
        if reach is None:
            return 1
        return min(start, self._lines.reach_back(db, head.branch, head.seq, reach)) if reach else max(1, start)

    def _turns(self, db: Transaction, head: Head, model: str, first: int, version: int) -> KeptWindow:
        kept = self._cache.windows.pop(head.conversation, None)  # nobody else extends it meanwhile
        fits = kept is not None and (kept.version, kept.branch, kept.model) == (version, head.branch, model)
        if kept is None or not fits or kept.first > first:
            kept = KeptWindow(version=version, branch=head.branch, model=model, first=first)
        # Asked again at one version for less, as before a first request: what is remembered beyond that stays.
        first = kept.first if kept.whole is not None else first
        newest = max((turn.seq for turn in kept.turns[-1:]), default=first - 1)
        kept.cut_to(first, newest - UNSETTLED)
        self._read_into(kept, db, max(first - 1, newest - UNSETTLED) + 1, head.seq)
        return kept

    def _read_into(self, kept: KeptWindow, db: Transaction, first: int, last: int) -> None:
        self._keep(kept, db, self._lines.rows(db, kept.branch, first, last, kept.model))

    def _keep(self, kept: KeptWindow, db: Transaction, found: Iterable[Row]) -> None:
        for row in found:
            turn = blobs.turn(db, row)
            if turn.state == "withdrawn":
                kept.withdrawn.append(turn.seq)
                continue
            kept.turns.append(turn)
            if (count := rows.count(row)) is not None:
                kept.counts[turn.seq] = count

    def _firsts_in_front(
        self, db: Transaction, head: Head, pins: Iterable[int], summary: Summary | None, end: int
    ) -> list[int]:
        """First seqs of all exchanges that may stand in front, as far as they lie before `end`."""
        firsts = {*pins, *(head.epoch.pinned_seqs if head.epoch else ()), *self._verbatim_firsts(db, head, summary)}
        return sorted(first for first in firsts if first < end)

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
        """Turns of role system before the turn `first`; of 0, nothing is asked."""
        found = KeptWindow(version=0, branch=branch, model=model, first=0)
        if first:
            self._keep(found, db, self._lines.instructions(db, branch, first - 1, model))
        return found

    def _pinned(self, db: Transaction, branch: int, firsts: Sequence[int], end: int, model: str) -> KeptWindow:
        """The exchanges that begin at `firsts`, as far as they lie before `end`."""
        found = KeptWindow(version=0, branch=branch, model=model, first=0)
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
            f"SELECT {rows.LAST}, {wordings.WORDED} "
            "WHERE r.epoch_id = ? AND r.usage IS NOT NULL AND r.state <> 'failed' ORDER BY r.id DESC",
            (head.epoch.id,),
        ):
            if row["last_seq"] <= spans.get(row["branch_id"], -1):
                return rows.last_request(wordings.whole(row))
        return None


def _seqs(*turns: Turn) -> frozenset[int]:
    return frozenset([turn.seq for turn in turns])


def _gaps(db: Transaction, conversation: int) -> tuple[tuple[float, ...], float | None]:
    """The newest gaps between plain requests, start to start, newest last; and when the newest of these began."""
    found = db.execute(
        "SELECT at FROM requests WHERE conversation_id = ? AND plain ORDER BY id DESC LIMIT ?",
        (conversation, rows.GAPS_READ + 1),
    )
    times = [row["at"] for row in found][::-1]
    gaps = tuple(max(0.0, later - earlier) for earlier, later in pairwise(times))
    return gaps, times[-1] if times else None
