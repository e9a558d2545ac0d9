"""What SQLite says otherwise than other databases, by name. All that is not named here is SQL that they share:
`ON CONFLICT (...) DO UPDATE`, `RETURNING`, `FILTER (WHERE ...)`, recursive `WITH`, `?`, `?1` and `:name` for values.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

GRAM = 3
"""Characters of which the index of characters holds strings."""


TENANTS = {"turns_fts": "'n' || {0} || 'z'", "turns_characters": "'nn' || {0} || 'zz'"}
"""By index, its word for a tenant, given the namespace in hexadecimal: of three signs at least where it holds those."""


class Dialect:
    """SQLite's expressions. Each argument is SQL: a column, a placeholder, the name of an index."""

    foreign_changes = "(SELECT data_version FROM pragma_data_version)"
    """a number that changes for a connection when another one has written to the file, with sash or without"""
    greatest = "max"
    """the function that gives the greatest of several values"""
    least = "min"
    """the function that gives the least of several values"""
    unless_unseen = ""
    """What an insertion ends in that leaves rows alone which the server shows to others only: here, all are shown."""
    add_preamble = (
        "INSERT INTO preambles (hash, system, tools) VALUES (?, ?, ?) "
        "ON CONFLICT (hash) DO UPDATE SET hash = excluded.hash RETURNING id"
    )
    """the statement that keeps a preamble once, and tells its id"""
    shard = "0"
    """which part of a sum this writer adds to"""

    def unless_busy(self, subject: str) -> str:  # noqa: ARG002 - one writes at a time
        """Whether no other transaction is at this subject, which is taken then."""
        return "true"

    def next_id(self, table: str) -> str:
        """An id that no row of a table has ever had."""
        return f"({self.newest_id(table)} + 1)"

    def ids(self, array: str) -> str:
        """A table of one column `value`: the numbers that a JSON array holds."""
        return f"json_each({array})"

    def names(self, array: str) -> str:
        """A table of one column `value`: the texts that a JSON array holds."""
        return f"json_each({array})"

    def among_ids(self, array: str) -> str:
        """The numbers that a JSON array holds, as the right side of IN."""
        return f"(SELECT value FROM {self.ids(array)})"

    def among_names(self, array: str) -> str:
        """The texts that a JSON array holds, as the right side of IN."""
        return f"(SELECT value FROM {self.names(array)})"

    def newest_id(self, table: str) -> str:
        """The highest id that a table has given so far, 0 before the first; `last_ids` knows those of deleted rows."""
        known = f"SELECT max(id) AS id FROM {table} UNION ALL SELECT id FROM last_ids WHERE name = '{table}'"
        return f"(SELECT coalesce(max(id), 0) FROM ({known}))"

    def contains(self, text: str, part: str) -> str:
        """Whether a text holds another one."""
        return f"instr({text}, {part}) > 0"

    def array(self, json: str, key: str) -> str:
        """The array that a JSON object has under a key, as JSON text; an empty one where it has none."""
        return f"CASE WHEN json_type({json}, '$.{key}') = 'array' THEN {json} -> '$.{key}' ELSE '[]' END"

    def member(self, json: str, key: str) -> str:
        """What a JSON object has under a key, as text; NULL where it has nothing."""
        return f"{json} ->> '$.{key}'"

    def listed(self, column: str) -> str:
        """All values of a column of numbers as one JSON array, in the order of the rows."""
        return f"json_group_array({column})"

    def whole(self, number: str) -> str:
        """A number that is not negative, without its fraction."""
        return f"cast({number} AS INTEGER)"

    def date(self, seconds: str) -> str:
        """The day of a unix time, as YYYY-MM-DD in UTC."""
        return f"date({seconds}, 'unixepoch')"

    arrival = "rowid"
    """the column that counts the rows of a table without an id, in the order in which they came"""

    def matches(self, index: str, query: str) -> str:
        """Whether an entry of a full-text index answers a query: quoted words and phrases, with OR between them."""
        return f"{index} MATCH ('text : (' || {query} || ')')"

    def matches_of(self, index: str, query: str, namespace: str) -> str:
        """The same among one tenant's turns: the words of others are passed over by the index itself."""
        return f"{index} MATCH ({_whose(index, namespace)} || ' AND text : (' || {query} || ')')"

    def of_tenant(self, index: str, namespace: str) -> str:
        """Whether an entry of a full-text index is a tenant's; "" where the index cannot tell."""
        return f"{index} MATCH ({_whose(index, namespace)})"

    def worth(self, index: str, text: str, query: str) -> str:  # noqa: ARG002 - FTS5 knows what it was asked
        """How well an entry answers by itself, however common its words are elsewhere: the better, the smaller."""
        found = f"(length(highlight({index}, 0, char(1), '')) - length({text}))" if index == "turns_fts" else "1"
        return f"-1.0 * {found} / ({found} + 0.3 + length({text}) / 300.0)"

    def turn_columns(self, columns: Mapping[str, Any]) -> dict[str, Any]:
        """The columns of a turn as they are written: what it says is kept once, beside its content or in it."""
        kept = {name: value for name, value in columns.items() if name != "text"}
        return {**kept, "said": "" if _is_plain_text(columns["content"]) else columns["text"]}

    def snippet(self, index: str, text: str, query: str) -> str:  # noqa: ARG002
        """The words around what was found in a text, in brackets."""
        return f"snippet({index}, 0, '[', ']', ' ... ', 16)"

    def characters(self, run: str) -> str | None:
        """What asks the index of characters for a run of them; None for one too short for that index."""
        return f'"{run}"' if len(run) >= GRAM else None


def _whose(index: str, namespace: str) -> str:
    """What asks an index for a tenant's entries."""
    return f"'tenant : ' || {TENANTS[index].format(f'hex({namespace})')}"


def _is_plain_text(content: str) -> bool:
    """Whether a content is one block of text that SQLite reads as Python does: as the column `text` of `turns` asks."""
    if not content.startswith('[{"t') or "\\u" in content:
        return False
    blocks = json.loads(content)
    return len(blocks) == 1 and blocks[0].get("type") == "text" and isinstance(blocks[0].get("text"), str)


SQLITE = Dialect()
