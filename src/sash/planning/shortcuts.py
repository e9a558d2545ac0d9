"""What was worked out for one request of a conversation and holds for the next: it changes nothing but the time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from sash.model.counts import Count
from sash.model.epochs import Epoch
from sash.model.turns import Exchange, Turn
from sash.planning.digest import Digest
from sash.planning.growing import MOVING, Grown
from sash.planning.judge import Judge
from sash.planning.survey import Group, Survey, exchange, surveyed
from sash.planning.view import Placed, placed
from sash.planning.worth.ledger import Ledger, entered


class Shortcuts:
    """Kept beside a conversation, for one flow at a time; thrown away where turns are sent otherwise from then on."""

    def __init__(self) -> None:
        self.judge = Judge()
        self.digest = Digest()
        self.survey = Grown(Survey(), surveyed)
        self.exchanges = Exchanges()
        self.ledger = Grown(Ledger(), entered)
        self._asked: Epoch | None = None
        self._epoch: Epoch | None = None
        self._placed = Grown[Turn, Placed](Placed(), lambda before, _: before)

    def placed(self, turns: tuple[Turn, ...], epoch: Epoch) -> Placed:
        """The turns of a view as messages."""
        if epoch is not self._asked:
            view = replace(epoch, id=0, family=0, strategy="", reason="")  # none of that shows in a message
            if view != self._epoch:
                self._epoch, self._placed = view, Grown(Placed(), partial(placed, epoch=view))
            self._asked = epoch
        return self._placed.of(turns)


class Exchanges:
    """Exchanges with their sizes: each is summed up once, while its turns and their sizes stay as they are."""

    def __init__(self) -> None:
        self._groups: tuple[Group, ...] = ()
        self._seqs: tuple[int, ...] = ()
        self._counts: list[Count | None] = []
        self._made: tuple[Exchange, ...] = ()

    def of(self, groups: tuple[Group, ...], known: Mapping[int, Count]) -> tuple[Exchange, ...]:
        """The exchanges that these turns form; `known` are the sizes of turns by seq."""
        counts = list(map(known.get, self._seqs))
        if groups[: len(self._groups)] == self._groups and counts == self._counts:
            self._counts = counts  # the very same are compared faster the next time
        else:
            self._groups, self._seqs, self._counts, self._made = (), (), [], ()
        if settled := groups[len(self._groups) : -MOVING]:
            seqs = [turn.seq for group in settled for turn in group]
            self._made = (*self._made, *(exchange(group, known) for group in settled))
            self._groups, self._seqs = (*self._groups, *settled), (*self._seqs, *seqs)
            self._counts += map(known.get, seqs)
        moving = groups[len(self._groups) :]
        return (*self._made, *[exchange(group, known, newest=group is groups[-1]) for group in moving])
