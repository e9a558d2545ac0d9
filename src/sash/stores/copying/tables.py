"""The tables of a record in the order in which they are filled: how their rows are told apart, and whose they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sash.stores.transaction import Row, Transaction
from sash.stores.wordings import used_by

PAGE = 500
"""Rows read and written at a time."""

_CONVERSATIONS = "(SELECT id FROM conversations WHERE namespace = :namespace)"
_TURNS = f"(SELECT id FROM turns WHERE conversation_id IN {_CONVERSATIONS})"
_PREAMBLES = (
    f"(SELECT preamble_id FROM requests WHERE conversation_id IN {_CONVERSATIONS} "
    f"UNION SELECT preamble_id FROM epochs WHERE conversation_id IN {_CONVERSATIONS} "
    "UNION SELECT preamble_id FROM conversations WHERE namespace = :namespace)"
)
_BRANCHES = f"(SELECT id FROM branches WHERE conversation_id IN {_CONVERSATIONS})"
OF_NAMESPACE = "namespace = :namespace"
OF_CONVERSATION = f"conversation_id IN {_CONVERSATIONS}"
OF_TURN = f"turn_id IN {_TURNS}"
OF_ACCOUNT = "substr({0}, 1, length(:namespace) + 1) = :namespace || '/'"
NOBODYS = "1 = 0"
"""Rows that name no tenant go along only where all tenants do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table. `mine`: the condition for a tenant's rows."""

    name: str
    key: tuple[str, ...] = ("id",)
    mine: str
    booleans: tuple[str, ...] = ()
    """columns that are true or false, which SQLite keeps as numbers"""
    made: tuple[str, ...] = ()
    """columns that a database fills by itself"""
    of_all_tenants: bool = False
    """each tenant may read and change its rows"""
    in_arrival: bool = False
    """its rows are few, and their order counts"""

    def rows(self, db: Transaction, namespace: str | None) -> Iterator[list[Mapping[str, Any]]]:
        """All rows, or those of a tenant, page by page in the order of their keys."""
        last: Row | None = None
        while page := self._page(db, namespace, last):
            yield [self._plain(row) for row in page]
            last = None if self.in_arrival else page[-1]
            if last is None or len(page) < PAGE:
                return

    def count(self, db: Transaction, namespace: str | None) -> int:
        """How many that are."""
        where, values = self._whose(namespace)
        return int(db.one(f"SELECT count(*) FROM {self.name} WHERE {where}", values)[0])

    def key_of(self, row: Mapping[str, Any]) -> tuple[Any, ...]:
        """What tells a row from the others."""
        return tuple(row[name] for name in self.key)

    def known(self, db: Transaction, rows: list[Mapping[str, Any]]) -> set[tuple[Any, ...]]:
        """The keys between those of the first and the last of these rows that the table holds."""
        ordered = sorted(map(self.key_of, rows))
        values = {f"a{at}": one for at, one in enumerate(ordered[0])} | {
            f"z{at}": one for at, one in enumerate(ordered[-1])
        }
        columns = ", ".join(self.key)
        low, high = (", ".join(f":{end}{at}" for at in range(len(self.key))) for end in "az")
        found = db.all(
            f"SELECT {columns} FROM {self.name} WHERE ({columns}) >= ({low}) AND ({columns}) <= ({high})", values
        )
        return {tuple(row) for row in found}

    def add(self, db: Transaction, rows: list[Mapping[str, Any]]) -> None:
        """Write rows, but where another tenant's stand that are not shown."""
        if rows:
            rows = [db.sql.turn_columns(row) for row in rows] if self.name == "turns" else rows
            names = list(rows[0])
            marks = ", ".join("?" * len(names))
            db.many(
                f"INSERT INTO {self.name} ({', '.join(names)}) VALUES ({marks}){db.sql.unless_unseen}",
                [tuple(row[name] for name in names) for row in rows],
            )

    def _page(self, db: Transaction, namespace: str | None, last: Row | None) -> list[Row]:
        where, values = self._whose(namespace)
        if self.in_arrival:
            return db.all(f"SELECT * FROM {self.name} WHERE {where} ORDER BY {db.sql.arrival}", values)
        columns = ", ".join(self.key)
        if last is not None:
            marks = ", ".join(f":k{at}" for at in range(len(self.key)))
            where = f"{where} AND ({columns}) > ({marks})"
            values |= {f"k{at}": last[name] for at, name in enumerate(self.key)}
        return db.all(f"SELECT * FROM {self.name} WHERE {where} ORDER BY {columns} LIMIT {PAGE}", values)

    def _whose(self, namespace: str | None) -> tuple[str, dict[str, Any]]:
        return ("1 = 1", {}) if namespace is None else (self.mine, {"namespace": namespace})

    def _plain(self, row: Row) -> Mapping[str, Any]:
        """A row as every database gives it."""
        found = {name: row[name] for name in row.keys() if name not in self.made}  # noqa: SIM118 - rows are no mappings
        return found | {name: bool(found[name]) for name in self.booleans}


TABLES = (
    Table(name="preambles", mine=f"id IN {_PREAMBLES}"),
    Table(name="conversations", mine=OF_NAMESPACE),
    Table(name="branches", mine=OF_CONVERSATION),
    Table(
        name="blobs", key=("hash",), mine=f"hash IN (SELECT hash FROM turn_blobs WHERE {OF_TURN})", booleans=("base64",)
    ),
    Table(name="turns", mine=OF_CONVERSATION, booleans=("plain", "mended"), made=("place", "said")),
    Table(name="turn_blobs", key=("turn_id", "position"), mine=OF_TURN),
    Table(name="mends", mine=OF_TURN),
    Table(name="attachments", key=("turn_id",), mine=OF_TURN),
    Table(name="attachment_sources", key=("turn_id", "source_id"), mine=OF_TURN),
    Table(name="summaries", mine=OF_CONVERSATION),
    Table(
        name="summary_sources",
        key=("summary_id", "turn_id"),
        mine=f"summary_id IN (SELECT id FROM summaries WHERE {OF_CONVERSATION})",
    ),
    Table(name="summary_jobs", key=("conversation_id",), mine=OF_CONVERSATION),
    Table(name="epochs", mine=OF_CONVERSATION, booleans=("tagged",)),
    Table(name="wordings", mine=f"id IN ({used_by(OF_CONVERSATION)})"),
    Table(name="requests", mine=OF_CONVERSATION, booleans=("plain",)),
    Table(name="counts", key=("turn_id", "model"), mine=OF_TURN),
    Table(
        name="preamble_counts", key=("preamble_id", "model"), mine=f"preamble_id IN {_PREAMBLES}", of_all_tenants=True
    ),
    Table(name="gaps", key=("namespace", "conversation_id"), mine=OF_NAMESPACE),
    Table(name="calibration", key=("model", "base"), mine="1 = 1", of_all_tenants=True),
    Table(name="pins", key=("conversation_id", "turn_id"), mine=OF_CONVERSATION),
    Table(name="tool_results", key=("turn_id", "call_id"), mine=OF_CONVERSATION),
    Table(name="submissions", mine=OF_CONVERSATION),
    Table(name="imported", key=("conversation_id", "key"), mine=OF_CONVERSATION),
    Table(
        name="vectors",
        key=("place",),
        mine=f"place IN (SELECT place FROM turns WHERE conversation_id IN {_CONVERSATIONS})",
        made=("near",),
    ),
    Table(name="vectors_removed", key=("branch_id",), mine=f"branch_id IN {_BRANCHES}"),
    Table(name="batches", mine=f"id IN (SELECT batch_id FROM batch_items WHERE {OF_CONVERSATION})"),
    Table(name="batch_items", key=("custom_id",), mine=OF_CONVERSATION, made=("arrival",), in_arrival=True),
    Table(name="attempts", mine=OF_NAMESPACE),
    Table(name="spend", key=("scope", "key", "period"), mine=OF_ACCOUNT.format("key")),
    Table(name="alerts", key=("name",), mine=NOBODYS),
    Table(name="memos", key=("name",), mine=NOBODYS),
    Table(name="memo_tags", key=("tag", "name"), mine=NOBODYS),
    Table(name="deleted_spending", key=("namespace", "at", "model"), mine=OF_NAMESPACE),
    Table(name="usage_days", key=("namespace", "owner", "day", "model", "shard"), mine=OF_NAMESPACE),
    Table(name="memory_files", key=("namespace", "owner", "path", "version"), mine=OF_NAMESPACE),
    Table(name="forgotten", mine=OF_NAMESPACE),
    Table(name="retention", key=("namespace",), mine=OF_NAMESPACE),
    Table(name="jobs", mine=OF_NAMESPACE),
    Table(name="profile_entries", mine=OF_NAMESPACE),
    Table(
        name="profile_sources",
        key=("entry_id", "turn_id"),
        mine=f"entry_id IN (SELECT id FROM profile_entries WHERE {OF_NAMESPACE})",
    ),
    Table(name="profile_reading", key=("branch_id",), mine=f"branch_id IN {_BRANCHES}"),
    Table(name="profile_read", key=("conversation_id",), mine=OF_CONVERSATION),
    Table(name="profile_distillings", mine=OF_CONVERSATION),
    Table(name="imported_requests", mine=OF_CONVERSATION),
    Table(name="profile_jobs", key=("namespace", "owner"), mine=OF_NAMESPACE),
)

LEFT_OUT = {
    "leases": "processes that write there now",
    "workers": "processes that work there now",
    "job_counts": "what workers did there",
    "last_ids": "said as ids that are not given again",
    "memo_use": "how often a memo served there",
    "turns_fts": "made of the turns",
    "turns_characters": "made of the turns",
    "migrations": "each database has its own",
    "_sqlite_migrations": "each database has its own",
}
"""Tables that are not copied, and why."""
