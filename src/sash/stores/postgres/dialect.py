"""What PostgreSQL says otherwise than SQLite, by the names of `sash.stores.dialect`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sash.stores.dialect import Dialect

SHARDS = 16
"""Parts of a sum that many add to at once: a row is held until its transaction is on the disk."""


class PostgresDialect(Dialect):
    """PostgreSQL's expressions. The functions `ids` and `asked` stand in `search.sql`."""

    foreign_changes = "0"
    greatest = "greatest"
    least = "least"
    arrival = "arrival"
    shard = f"(pg_backend_pid() % {SHARDS})"

    def unless_busy(self, subject: str) -> str:
        """Whether no other transaction is at this subject, which is taken then."""
        return f"pg_try_advisory_xact_lock(hashtextextended({subject}, 0))"

    def next_id(self, table: str) -> str:  # noqa: ARG002 - an identity column knows its sequence
        """An id that no row of a table has ever had."""
        return "DEFAULT"

    def newest_id(self, table: str) -> str:
        """The highest id that a table has given so far, to transactions that are still under way too."""
        return f"(SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {table}_id_seq)"

    def ids(self, array: str) -> str:
        """A table of one column `value`: the numbers that a JSON array holds."""
        return f"ids({array})"

    def names(self, array: str) -> str:
        """A table of one column `value`: the texts that a JSON array holds."""
        return f"json_array_elements_text(({array})::json)"

    def contains(self, text: str, part: str) -> str:
        """Whether a text holds another one."""
        return f"strpos({text}, {part}) > 0"

    def array(self, json: str, key: str) -> str:
        """The array that a JSON object has under a key, as JSON text; an empty one where it has none."""
        found = f"({json})::json -> '{key}'"
        return f"CASE WHEN json_typeof({found}) = 'array' THEN ({found})::text ELSE '[]' END"

    def member(self, json: str, key: str) -> str:
        """What a JSON object has under a key, as text; NULL where it has nothing."""
        return f"({json})::json ->> '{key}'"

    def whole(self, number: str) -> str:
        """A number that is not negative, without its fraction."""
        return f"trunc({number})::bigint"

    def listed(self, column: str) -> str:
        """All values of a column of numbers as one JSON array."""
        return f"coalesce(json_agg({column})::text, '[]')"

    def date(self, seconds: str) -> str:
        """The day of a unix time, as YYYY-MM-DD in UTC."""
        return f"to_char(to_timestamp({seconds}) AT TIME ZONE 'UTC', 'YYYY-MM-DD')"

    def matches(self, index: str, query: str) -> str:
        """Whether an entry of a full-text index answers a query."""
        return f"{index}.words @@ {_asked(index, query)}"

    def matches_of(self, index: str, query: str, namespace: str) -> str:  # noqa: ARG002
        """The same among one tenant's turns, whom other conditions tell."""
        return self.matches(index, query)

    def of_tenant(self, index: str, namespace: str) -> str:  # noqa: ARG002
        """Its indexes know no tenants."""
        return ""

    def worth(self, index: str, text: str, query: str) -> str:  # noqa: ARG002
        """How well an entry answers by itself: the better, the smaller."""
        return f"-ts_rank({index}.words, {_asked(index, query)})"

    def turn_columns(self, columns: Mapping[str, Any]) -> dict[str, Any]:
        """The columns of a turn as they are written."""
        return dict(columns)

    def snippet(self, index: str, text: str, query: str) -> str:
        """The words around what was found in a text, in brackets."""
        look = "StartSel=[, StopSel=], MaxWords=16, MinWords=8, ShortWord=0"
        return f"ts_headline('words', {text}, {_asked(index, query)}, '{look}')"

    def characters(self, run: str) -> str | None:
        """What asks the index of characters for a run: all pairs of them in it, or the one there is."""
        pairs = [run[at : at + 2] for at in range(max(1, len(run) - 1))]
        return " & ".join(map(_quoted, dict.fromkeys(pairs)))


def _asked(index: str, query: str) -> str:
    return f"asked({query})" if index == "turns_fts" else f"({query})::tsquery"


def _quoted(lexeme: str) -> str:
    doubled = lexeme.replace("\\", "\\\\").replace("'", "''")
    return f"'{doubled}'"


class HeldDialect(PostgresDialect):
    """What it says where row-level security holds: of what tenants share, a row may be there and not be seen."""

    add_preamble = "SELECT preamble_of(?, ?, ?) AS id"
    unless_unseen = " ON CONFLICT DO NOTHING"


POSTGRES, HELD = PostgresDialect(), HeldDialect()
