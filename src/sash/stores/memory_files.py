"""Files that Claude keeps about users, as rows with history: each change is a new version, the newest counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from sash.model.fitting import checked
from sash.model.memory_files import Folder, MemoryFile, memory_path
from sash.stores.lineage import END
from sash.stores.transaction import Database, Row, Transaction

R = TypeVar("R")

_NEWEST = (
    "SELECT f.path, f.version, f.content, f.at FROM memory_files f JOIN ("
    "SELECT path, max(version) AS version FROM memory_files WHERE namespace = ? AND owner = ? GROUP BY path"
    ") n ON n.path = f.path AND n.version = f.version "
    "WHERE f.namespace = ? AND f.owner = ? AND f.content IS NOT NULL ORDER BY f.path"
)


class MemoryFiles:
    """The part of a store that holds them. Every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def look(self, ask: Callable[[Folder], R], *, user: str, namespace: str = "") -> R:
        """What `ask` finds out about a user's files."""
        with self._database.reading() as db:
            return ask(_Rows(db, namespace, user, at=0.0))

    def change(self, edit: Callable[[Folder], R], *, user: str, namespace: str = "", at: float) -> R:
        """Let `edit` change a user's files, all of it or, if it raises, nothing. `at`: unix seconds."""
        with self._database.writing() as db:
            db.alone("user", namespace, user)
            return edit(_Rows(db, namespace, user, at))

    @checked
    def files(self, *, user: str, namespace: str = "") -> Sequence[MemoryFile]:
        """The files of a user as they stand, by path."""
        with self._database.reading() as db:
            return [_file(row) for row in db.all(_NEWEST, (namespace, user, namespace, user))]

    @checked
    def versions(
        self, path: str, *, user: str, namespace: str = "", before: int | None = None, limit: int | None = None
    ) -> Sequence[MemoryFile]:
        """The versions of a file, the oldest first; none if there was none. Raises InvalidOption for a bad path.

        `before`: those with a smaller number; `limit`: the newest of them.
        """
        with self._database.reading() as db:
            found = db.all(
                "SELECT path, version, content, at FROM memory_files "
                "WHERE namespace = ? AND owner = ? AND path = ? AND version < ? ORDER BY version DESC LIMIT ?",
                (
                    namespace,
                    user,
                    memory_path(path),
                    END if before is None else before,
                    END if limit is None else limit,
                ),
            )
            return [_file(row) for row in reversed(found)]

    @checked
    def users(self, *, namespace: str = "") -> Mapping[str, int]:
        """Who has files -> how many, by name."""
        with self._database.reading() as db:
            found = db.all(
                "SELECT f.owner, count(*) FROM memory_files f WHERE f.namespace = ? AND f.content IS NOT NULL "
                "AND NOT EXISTS (SELECT 1 FROM memory_files n WHERE n.namespace = f.namespace AND n.owner = f.owner "
                "AND n.path = f.path AND n.version > f.version) GROUP BY f.owner ORDER BY f.owner",
                (namespace,),
            )
            return {row[0]: row[1] for row in found}


class _Rows:
    """A user's files within one transaction."""

    def __init__(self, db: Transaction, namespace: str, user: str, at: float) -> None:
        self._db, self._namespace, self._user, self._at = db, namespace, user, at
        self._texts = {row["path"]: row["content"] for row in db.all(_NEWEST, (namespace, user, namespace, user))}

    @property
    def sizes(self) -> Mapping[str, int]:
        return {path: len(text.encode()) for path, text in self._texts.items()}

    def read(self, path: str) -> str:
        return str(self._texts[path])

    def write(self, path: str, text: str | None) -> None:
        self._db.execute(
            "INSERT INTO memory_files (namespace, owner, path, version, content, at) "
            "SELECT ?1, ?2, ?3, coalesce(max(version), 0) + 1, ?4, ?5 FROM memory_files "
            "WHERE namespace = ?1 AND owner = ?2 AND path = ?3",
            (self._namespace, self._user, path, text, self._at),
        )
        self._texts.pop(path, None)
        if text is not None:
            self._texts[path] = text


def _file(row: Row) -> MemoryFile:
    return MemoryFile(path=row["path"], version=row["version"], text=row["content"], at=row["at"])
