"""What was spent, in the same file as the record: accounts with ceilings, booked atomically across processes.

A request's upper bound is booked before it is sent and corrected by its usage; nothing is remembered of who booked,
so that whatever a dead process held counts as spent. Also tells whether an alert is new.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from sash.limits.ceilings.policy import Account, Charge, Over, Scope, account_key, passes
from sash.model.fitting import checked
from sash.stores.opening import open_database
from sash.stores.transaction import Database, Transaction

_ADD = (
    "INSERT INTO spend (scope, key, period, dollars, tokens) VALUES (?, ?, ?, ?, ?) ON CONFLICT (scope, key, period) "
    "DO UPDATE SET dollars = {greatest}(0, spend.dollars + excluded.dollars), "
    "tokens = {greatest}(0, spend.tokens + excluded.tokens)"
)


class SqliteSpend:
    """The spend book of a SQLite file; `path` may be that of a record."""

    def __init__(self, where: str | Path | Database) -> None:
        self._database = open_database(where) if isinstance(where, str | Path) else where

    def book(self, accounts: Sequence[Account], charge: Charge) -> Over | Sequence[Charge]:
        """Book on all accounts or on none."""
        with self._database.writing() as db:
            _alone(db, accounts)
            before = [_spent(db, account) for account in accounts]
            for account, spent in zip(accounts, before, strict=True):
                if passes(account, spent, charge):
                    return Over(account=account, spent=spent, needed=charge)
            for account in accounts:
                _add(db, account, charge)
        return before

    def correct(self, accounts: Sequence[Account], by: Charge) -> Sequence[Charge]:
        """Add a difference to all accounts; what they hold then."""
        with self._database.writing() as db:
            _alone(db, accounts)
            for account in accounts:
                _add(db, account, by)
            return [_spent(db, account) for account in accounts]

    def spent(self, account: Account) -> Charge:
        """What an account holds."""
        with self._database.reading() as db:
            return _spent(db, account)

    @checked
    def fullest(
        self, scope: Scope, period: str, *, namespace: str, by: Literal["dollars", "tokens"], limit: int
    ) -> list[tuple[str, Charge]]:
        """The accounts of a namespace's users or conversations in a period, by name, those that hold most first."""
        inside = account_key(namespace, "")
        with self._database.reading() as db:
            ours = "substr(key, 1, length(?)) = ?" if inside else f"NOT {db.sql.contains('key', '?')}"
            found = db.all(
                f"SELECT key, dollars, tokens FROM spend WHERE scope = ? AND period = ? AND {ours} "
                f"ORDER BY {by} DESC, key LIMIT ?",
                (scope, period, *((inside, inside) if inside else ("/",)), limit),
            )
        return [
            (row["key"].removeprefix(inside), Charge(dollars=row["dollars"], tokens=row["tokens"])) for row in found
        ]

    def newest(self, limit: int = 20) -> list[tuple[Account, Charge]]:
        """Accounts and what they hold, the newest period first."""
        with self._database.reading() as db:
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
        with self._database.writing() as db:
            return (
                db.execute("INSERT INTO alerts (name, at) VALUES (?, ?) ON CONFLICT DO NOTHING", (alert, at)).rowcount
                > 0
            )

    def close(self) -> None:
        """Close the file."""
        self._database.close()


def _alone(db: Transaction, accounts: Sequence[Account]) -> None:
    """Nobody else books on these; whoever wants several takes them in one order."""
    for subject in sorted((account.scope, account.key, account.period) for account in accounts):
        db.alone("spend", *subject)


def _add(db: Transaction, account: Account, by: Charge) -> None:
    values = (account.scope, account.key, account.period, by.dollars, by.tokens)
    db.later(_ADD.format(greatest=db.sql.greatest), values)


def _spent(db: Transaction, account: Account) -> Charge:
    row = db.one(
        "SELECT dollars, tokens FROM spend WHERE scope = ? AND key = ? AND period = ?",
        (account.scope, account.key, account.period),
    )
    return Charge(dollars=row["dollars"], tokens=row["tokens"]) if row else Charge()
