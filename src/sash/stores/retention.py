"""How long conversations are kept: a rule for each namespace, and deleting what nobody went on with for longer."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

from sash.errors import InvalidOption
from sash.model.blocks import dumps
from sash.model.fitting import checked
from sash.model.users import check_user
from sash.stores.cache import Cache
from sash.stores.forgetting import delete_audited
from sash.stores.port import Pruned
from sash.stores.transaction import Database, Row, Transaction

DAY = 86_400.0
AT_ONCE = 20
"""Conversations deleted in one transaction: others who write wait for no more than these."""

_OVERDUE = (
    "namespace = :namespace AND updated_at < :before AND (owner = :owner OR :owner IS NULL) "
    "AND NOT EXISTS (SELECT 1 FROM leases l WHERE l.conversation_id = conversations.id AND l.until > :now)"
)


class Retention:
    """What is kept for how long. See `sash.stores.port.Store`."""

    def __init__(self, database: Database, cache: Cache) -> None:
        self._database, self._cache = database, cache

    @checked
    def retain(self, namespace: str = "", *, days: float | None) -> None:
        """Keep what nobody went on with for so many days; None: for good. Raises InvalidOption."""
        if days is not None:
            _check(days)
        with self._database.writing() as db:
            db.execute("DELETE FROM retention WHERE namespace = ?", (namespace,))
            if days is not None:
                db.execute("INSERT INTO retention (namespace, days) VALUES (?, ?)", (namespace, float(days)))

    @checked
    def retained(self, namespace: str = "") -> float | None:
        """For how many days; None: for good."""
        with self._database.reading() as db:
            row = db.one("SELECT days FROM retention WHERE namespace = ?", (namespace,))
            return None if row is None else float(row["days"])

    @checked
    def overdue(
        self, namespace: str = "", *, days: float | None = None, user: str | None = None, now: float | None = None
    ) -> Sequence[str]:
        """ids of the conversations that `prune` would delete, the longest unused first. Raises InvalidOption."""
        given = self._given(namespace, days, user, now)
        with self._database.reading() as db:
            return [row["name"] for row in _overdue(db, given)]

    @checked
    def prune(
        self,
        namespace: str = "",
        *,
        days: float | None = None,
        user: str | None = None,
        reason: str = "",
        now: float | None = None,
    ) -> Pruned:
        """Delete what nobody went on with for so many days, some conversations at a time. Raises InvalidOption."""
        given = self._given(namespace, days, user, now)
        why = reason or f"unused for {given['days']:g} days"
        with self._database.reading() as db:
            found = [row["id"] for row in _overdue(db, given)]
        turns = conversations = 0
        for at in range(0, len(found), AT_ONCE):
            with self._database.unchecked(), self._database.erasing() as db:
                for row in _overdue(db, given, found[at : at + AT_ONCE]):  # somebody may have gone on with one
                    turns += delete_audited(db, row["id"], namespace, row["name"], why).turns
                    conversations += 1
                self._cache.forget()
        return Pruned(conversations=conversations, turns=turns)

    def _given(self, namespace: str, days: float | None, user: str | None, now: float | None) -> dict[str, Any]:
        """What the statements are told."""
        if user is not None:
            check_user(user)
        days = self.retained(namespace) if days is None else days
        if days is None:
            raise InvalidOption(
                f"nothing says for how long the namespace {namespace!r} is kept: name days, or set them (store.retain)",
                option="days",
                value=None,
            )
        _check(days)
        moment = time.time() if now is None else now
        return {"namespace": namespace, "before": moment - days * DAY, "owner": user, "now": time.time(), "days": days}


def _overdue(db: Transaction, given: Mapping[str, Any], among: Sequence[int] | None = None) -> list[Row]:
    """Conversations that are due now: all, or those of these ids."""
    only = "" if among is None else f" AND id IN {db.sql.among_ids(':among')}"
    return db.all(
        f"SELECT id, name FROM conversations WHERE {_OVERDUE}{only} ORDER BY updated_at, id",
        {**given, "among": dumps(list(among or ()))},
    )


def _check(days: float) -> None:
    if not (math.isfinite(days) and days > 0):
        raise InvalidOption(f"days={days!r}: give a number of days above 0", option="days", value=days)
