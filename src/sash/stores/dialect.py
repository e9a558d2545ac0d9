"""What SQLite says otherwise than other databases, by name. All that is not named here is SQL that they share:
`ON CONFLICT (...) DO UPDATE`, `RETURNING`, `FILTER (WHERE ...)`, recursive `WITH`, `?`, `?1` and `:name` for values.
"""

from __future__ import annotations


class Dialect:
    """SQLite's expressions. Each argument is SQL: a column, a placeholder, the name of an index."""

    greatest = "max"
    """the function that gives the greatest of several values"""
    least = "min"
    """the function that gives the least of several values"""

    def next_id(self, table: str) -> str:
        """An id that no row of a table has ever had; `last_ids` knows the highest of rows that were deleted."""
        known = f"SELECT 0 AS id UNION ALL SELECT max(id) FROM {table}"
        return f"(SELECT max(id) + 1 FROM ({known} UNION ALL SELECT id FROM last_ids WHERE name = '{table}'))"

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

    def contains(self, text: str, part: str) -> str:
        """Whether a text holds another one."""
        return f"instr({text}, {part}) > 0"

    def whole(self, number: str) -> str:
        """A number that is not negative, without its fraction."""
        return f"cast({number} AS INTEGER)"

    def date(self, seconds: str) -> str:
        """The day of a unix time, as YYYY-MM-DD in UTC."""
        return f"date({seconds}, 'unixepoch')"

    def matches(self, index: str, query: str) -> str:
        """Whether an entry of a full-text index answers a query in the syntax of FTS5."""
        return f"{index} MATCH {query}"

    def score(self, index: str) -> str:
        """How well it does, the best first."""
        return f"bm25({index})"

    def snippet(self, index: str) -> str:
        """The words around what was found, in brackets."""
        return f"snippet({index}, 0, '[', ']', ' ... ', 16)"


SQLITE = Dialect()
