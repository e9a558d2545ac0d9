"""One set of statements for more than one database: SQLite's own words stand where another one would have its own."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest

import sash.stores
from conftest import STORES
from sash.stores.transaction import Transaction

FOLDER = Path(sash.stores.__file__).parent
OWN = ("database.py", "dialect.py", "migrations.py")
"""What makes and opens a SQLite file, and the words that are SQLite's own."""
STATEMENT = re.compile(r"\b(SELECT|INSERT|UPDATE|DELETE|WHERE|ON CONFLICT|AND)\b")
SQLITES_OWN = re.compile(
    r"\bINSERT OR\b|\bjson_\w+\(|\binstr\(|\btotal\(|\bGLOB\b|\bMATCH\b|\bbm25\(|\bsnippet\(|\bPRAGMA\b|\bunixepoch\b"
    r"|\bAS INTEGER\b|\b(max|min)\([^()]*,|\bON CONFLICT DO UPDATE\b|\bIN [a-z]\w*\b|\bifnull\(|\biif\("
    r"|[?:]\w* IS NULL OR\b"
)
"""What no other database takes: words of SQLite, what it lets one leave out, a value asked before its type is known."""


def texts(path: Path) -> list[tuple[int, str]]:
    """The strings of a module, without its docstrings, each with its line."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in said]
    return [(node.lineno, node.value) for node in found if isinstance(node.value, str)]


def test_what_is_sqlites_own_stands_in_the_dialect_alone() -> None:
    """No statement of a part holds an expression that another database would not understand."""
    modules = [path for path in sorted(FOLDER.glob("*.py")) if path.name not in OWN]
    statements = [(path.name, *text) for path in modules for text in texts(path) if STATEMENT.search(text[1])]
    assert len(statements) > 100, "statements are found at all"
    assert [one for one in statements if SQLITES_OWN.search(one[2])] == []


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT OR IGNORE INTO pins VALUES (?, ?, ?)",
        "SELECT max(a, b) FROM t",
        "SELECT id FROM t WHERE id IN used",
        "SELECT value FROM json_each(?)",
    ],
)
def test_a_slip_would_be_seen(statement: str) -> None:
    """The patterns find what they are for."""
    assert STATEMENT.search(statement) and SQLITES_OWN.search(statement)


@pytest.mark.parametrize("kind", ["memory", "postgres"])
def test_the_fragments_mean_what_they_say(kind: str, request: pytest.FixtureRequest) -> None:
    """Each named expression gives what its name promises, in the words of every database."""
    store = STORES[kind](request.getfixturevalue("postgres_url") if kind == "postgres" else None)
    with store.database.writing() as db:
        assert isinstance(db, Transaction)

        def value(expression: str, *given: object) -> Any:
            return db.one(f"SELECT {expression}", given)[0]

        names = db.all(f"SELECT value FROM {db.sql.names('?')}", ('["b","a"]',))
        assert [row["value"] for row in names] == ["b", "a"]
        assert value(f"7 IN {db.sql.among_ids('?')}", "[6,7]") and not value(f"8 IN {db.sql.among_ids('?')}", "[6,7]")
        assert value(f"'b' IN {db.sql.among_names('?')}", '["a","b"]')
        assert value(db.sql.contains("?", "?"), "a lamp", "lamp")
        assert not value(db.sql.contains("?", "?"), "lamp", "Lamp")
        assert value(f"{db.sql.greatest}(?, ?)", 2, 3) == 3 and value(f"{db.sql.least}(?, ?)", 2, 3) == 2
        assert value(db.sql.whole("?"), 7.9) == 7
        assert value(db.sql.newest_id("epochs")) == 0
        columns = {"namespace": "", "created_at": 0.0, "updated_at": 0.0}
        assert [db.insert("conversations", {**columns, "name": name}) for name in "ab"] == [1, 2]
        assert value(db.sql.newest_id("conversations")) == 2
        assert value(db.sql.date("?"), 86_399.5) == "1970-01-01" and value(db.sql.date("?"), 86_400.0) == "1970-01-02"
    store.close()
