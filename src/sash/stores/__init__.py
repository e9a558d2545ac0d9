"""Where the record lives: the port, SQLite (the default), and memory. Each store is held to one contract suite."""

from pathlib import Path

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


def open_store(store: str | Path | Store | None) -> Store:
    """A store: the file at a path, a store object as it is, or None for one in memory."""
    if store is None:
        return MemoryStore()
    return SqliteStore(store) if isinstance(store, str | Path) else store
