"""What was spent, in the same file as the record: accounts with ceilings, booked atomically across processes.

A request's upper bound is booked before it is sent and corrected by its usage; nothing is remembered of who booked,
so that whatever a dead process held counts as spent. Also tells whether an alert is new.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from sash.limits.ceilings.policy import Account, Charge, Over, passes
from sash.stores.connection import Connection

_ADD = (
    "INSERT INTO spend (scope, key, period, dollars, tokens) VALUES (?, ?, ?, ?, ?) ON CONFLICT (scope, key, period) "
    "DO UPDATE SET dollars = max(0, dollars + excluded.dollars), tokens = max(0, tokens + excluded.tokens)"
)


class SqliteSpend:
    """The spend book of a SQLite file; `path` may be that of a record."""

    def __init__(self, where: str | Path | Connection) -> None:
        self._connection = where if isinstance(where, Connection) else Connection(where)

    def book(self, accounts: Sequence[Account], charge: Charge) -> Over | Sequence[Charge]:
        """Book on all accounts or on none."""
        with self._connection.writing() as db:
            before = [_spent(db, account) for account in accounts]
            for account, spent in zip(accounts, before, strict=True):
                if passes(account, spent, charge):
                    return Over(account=account, spent=spent, needed=charge)
            for account in accounts:
                db.execute(_ADD, (account.scope, account.key, account.period, charge.dollars, charge.tokens))
        return before

    def correct(self, accounts: Sequence[Account], by: Charge) -> Sequence[Charge]:
        """Add a difference to all accounts; what they hold then."""
        with self._connection.writing() as db:
            for account in accounts:
                db.execute(_ADD, (account.scope, account.key, account.period, by.dollars, by.tokens))
            return [_spent(db, account) for account in accounts]

    def spent(self, account: Account) -> Charge:
        """What an account holds."""
        with self._connection.reading() as db:
            return _spent(db, account)

    def newest(self, limit: int = 20) -> list[tuple[Account, Charge]]:
        """Accounts and what they hold, the newest period first."""
        with self._connection.reading() as db:
            found = db.execute("SELECT * FROM spend ORDER BY period DESC, scope, key LIMIT ?", (limit,))
            return [
                (
                    Account(scope=row["scope"], key=row["key"], period=row["period"], dollars=None, tokens=None),
                    Charge(dollars=row["dollars"], tokens=row["tokens"]),
                )
                for row in found
            ]

    def first(self, alert: str, at: float) -> bool:
        """Whether this alert is raised for the first time, in any process."""
        with self._connection.writing() as db:
            return db.execute("INSERT OR IGNORE INTO alerts (name, at) VALUES (?, ?)", (alert, at)).rowcount > 0

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


def _spent(db: sqlite3.Connection, account: Account) -> Charge:
    row = db.execute(
        "SELECT dollars, tokens FROM spend WHERE scope = ? AND key = ? AND period = ?",
        (account.scope, account.key, account.period),
    ).fetchone()
    return Charge(dollars=row["dollars"], tokens=row["tokens"]) if row else Charge()
