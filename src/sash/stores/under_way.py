"""What a window becomes by a request of its own that is answered: so that it need not be read again.

Only the plain case is followed: the epoch goes on, or is the first one and holds all there is, and the reply answers
what the request was the first to send. It must come to the same as reading the record; a test compares the two after
every step.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sash.model.counts import Count
from sash.model.requests import Begun, FinishedRequest, NewRequest
from sash.model.turns import Turn
from sash.model.usage import Usage
from sash.model.window import LastRequest, Loaded
from sash.stores import rows


@dataclass(frozen=True, slots=True, kw_only=True)
class UnderWay:
    """A request that was recorded and sent."""

    before: Loaded
    """the window that it was planned from"""
    new: NewRequest
    begun: Begun
    columns: Mapping[str, Any]
    """its row"""
    learned: str | None
    """what it says was learned, as the record holds it; None: nothing new"""
    gap: float | None
    """seconds since the last one that opened an exchange, where it does, too"""

    def answered(self, finished: FinishedRequest, reply: Turn | None) -> Loaded | None:
        """The window with its reply; None where that is to be read."""
        if reply is None or not self._plainly(finished):
            return None
        before = self.before
        asked = (replace(turn, state="answered").parsed_as(turn.blocks) for turn in self.begun.turns)
        counts = dict(before.counts)
        learn(counts, self.new.counts)
        learn(counts, finished.counts)
        if finished.reply_count is not None:
            learn(counts, {reply.seq: finished.reply_count})
        return replace(
            before,
            head=replace(
                before.head,
                epoch=self.begun.epoch if self.begins else before.head.epoch,
                new_epoch_reason="" if self.begins else before.head.new_epoch_reason,
                seq=reply.seq,
                turn=reply,
                requests=self.begun.number,
                model=self.new.home or self.new.sent.model,
                key=self.new.sent.key,
            ),
            turns=(*before.turns, *asked, reply),
            counts=counts,
            uncounted=before.uncounted.union([turn.seq for turn in self.begun.turns], [reply.seq]).difference(counts),
            last=self._last(finished),
            gaps=before.gaps if self.gap is None else (*before.gaps, self.gap)[-rows.GAPS_READ :],
            learned=before.learned if self.learned is None else json.loads(self.learned),
            resumed=False,
        )

    def _last(self, finished: FinishedRequest) -> LastRequest:
        before, new = self.before.last, self.new
        return LastRequest(
            at=new.at,
            sent=new.sent,
            usage=finished.usage or Usage(),
            wire=finished.usage_json,
            first=before.first if before else new.sent.last,
            upper=new.expected.upper,
            why=new.why,
        )

    @property
    def begins(self) -> bool:
        """Whether the conversation's first epoch begins with it, and every turn there is stands in the view."""
        before, epoch = self.before, self.begun.epoch
        start = before.turns[0].seq if before.turns else before.head.seq + 1
        in_front = before.withdrawn or before.pinned_seqs or before.instructions or epoch.pinned_seqs or epoch.summary
        return before.head.epoch is None and epoch.first_seq == start and not in_front

    @property
    def _goes_on(self) -> bool:
        before = self.before
        return before.last is not None and before.head.epoch is not None and before.head.epoch.id == self.begun.epoch.id

    def _plainly(self, finished: FinishedRequest) -> bool:
        return (
            finished.request == self.begun.request
            and (finished.state, finished.settled_as) == ("answered", "answered")
            and set(finished.settled_turns) == {turn.id for turn in self.begun.turns}
            and (self._goes_on or self.begins)
            and finished.usage is not None
            and not self.new.interrupted
        )


def learn(counts: dict[int, Count], found: Mapping[int, Count]) -> None:
    """Put in sizes by seq as the record keeps them: an exact one is never replaced by a weaker one."""
    for seq, count in found.items():
        known = counts.get(seq)
        if known is None or known.source != "usage" or count.source == "usage":
            counts[seq] = count
