"""Where the record lives: the port, SQLite (the default), and memory. Each store is held to one contract suite."""

from pathlib import Path
from typing import Any

from sash.errors import InvalidOption
from sash.model.fitting import check_fit
from sash.stores.attempts import SqliteAttempts
from sash.stores.memory import MemoryStore
from sash.stores.memos import SqliteMemos
from sash.stores.port import Store
from sash.stores.redis_book import RedisBook
from sash.stores.spend import SqliteSpend
from sash.stores.sqlite import SqliteStore

__all__ = [
    "MemoryStore",
    "RedisBook",
    "SqliteAttempts",
    "SqliteMemos",
    "SqliteSpend",
    "SqliteStore",
    "Store",
    "open_store",
]


def check_store(store: Any) -> None:
    """Raise InvalidOption for what is no path, no store and not None."""
    if store is None:
        return
    if isinstance(store, str | Path) and str(store):
        check_fit("store", str(store), str)
        return
    if isinstance(store, type) or not hasattr(store, "branches"):
        raise InvalidOption(
            f"store={store!r:.60}: give a path, a store (sash.open(path)), or None for memory",
            option="store",
            value=store,
        )


def open_store(store: str | Path | Store | None) -> Store:
    """A store: the file at a path, a store object as it is, or None for one in memory. Raises InvalidOption."""
    check_store(store)
    if store is None:
        return MemoryStore()
    return SqliteStore(store) if isinstance(store, str | Path) else store
