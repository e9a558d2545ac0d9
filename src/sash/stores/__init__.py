"""Where the record lives: the port, SQLite (the default), and memory. Each store is held to one contract suite."""

from sash.stores.attempts import SqliteAttempts
from sash.stores.memory import MemoryStore
from sash.stores.memos import SqliteMemos
from sash.stores.port import Store
from sash.stores.redis_book import RedisBook
from sash.stores.spend import SqliteSpend
from sash.stores.sqlite import SqliteStore

__all__ = ["MemoryStore", "RedisBook", "SqliteAttempts", "SqliteMemos", "SqliteSpend", "SqliteStore", "Store"]
