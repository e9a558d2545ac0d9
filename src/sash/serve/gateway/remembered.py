"""What the gateway remembers of records: their settled turns are read, and made comparable, once. No HTTP."""

from __future__ import annotations

import threading
from collections import OrderedDict

from sash.errors import NotFound
from sash.model.turns import spoken
from sash.model.window import Head
from sash.serve.gateway.known import SaidRecord
from sash.stores.store import DatabaseStore

KEPT = 64
"""Conversations that are remembered, those last asked for."""


class SaidRecords:
    """The records of conversations as lists are held against them."""

    def __init__(self, store: DatabaseStore) -> None:
        self._store = store
        self._kept: OrderedDict[tuple[int, int, int], SaidRecord] = OrderedDict()
        """by conversation, branch, and what was forgotten by then"""
        self._alone = threading.Lock()

    def read(self, namespace: str, id: str) -> SaidRecord:
        """What is in force; nothing of a conversation that is not there yet. Turns of both speakers, oldest first."""
        try:
            head = self._store.branches.open(namespace=namespace, id=id, create=False)
        except NotFound:
            return SaidRecord()
        while True:
            found = self._grown(head)
            again = self._store.branches.head(head.conversation)
            if _place(again) == _place(head):
                break
            head = again  # another branch was gone to, or a turn redacted, while this was read
        self._keep(_place(head), found)
        return found

    def _grown(self, head: Head) -> SaidRecord:
        with self._alone:
            known = self._kept.get(_place(head), SaidRecord())
        since = known.turns[-1].seq if known.turns else 0
        turns = self._store.turns.read(head.conversation, after=since)
        return known.grown(spoken(turn for turn in turns if turn.state != "withdrawn"))

    def _keep(self, place: tuple[int, int, int], found: SaidRecord) -> None:
        with self._alone:
            self._kept[place] = found.settled()
            self._kept.move_to_end(place)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)


def _place(head: Head) -> tuple[int, int, int]:
    return head.conversation, head.branch, head.forgotten
