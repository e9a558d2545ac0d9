"""A record that lives as long as its object: the SQLite store on a database in memory.

For tests, notebooks and throw-away chats. It is the same code on purpose: search, views and the usage
report then mean the same everywhere.
"""

from __future__ import annotations

from sash.stores.sqlite import SqliteStore
from sash.stores.urls import MEMORY


class MemoryStore(SqliteStore):
    """Nothing is written to disk; `close` forgets everything."""

    def __init__(self) -> None:
        super().__init__(MEMORY)
