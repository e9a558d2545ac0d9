"""Where the record lives: the port, SQLite (the default), PostgreSQL, and memory.

Each store is held to one contract suite. A store is imported when the first of its kind is opened or named.
"""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sash.errors import InvalidOption
from sash.model.fitting import check_fit
from sash.stores.port import Store
from sash.stores.urls import MEMORY, is_url

if TYPE_CHECKING:
    from sash.stores.attempts import SqliteAttempts
    from sash.stores.memory import MemoryStore
    from sash.stores.memos import SqliteMemos
    from sash.stores.redis_book import RedisBook
    from sash.stores.spend import SqliteSpend
    from sash.stores.sqlite import SqliteStore
    from sash.stores.store import DatabaseStore

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
        is_url(store)  # raises for a URL of another kind
        return
    if isinstance(store, type) or not hasattr(store, "branches"):
        raise InvalidOption(
            f"store={store!r:.60}: give a path or a URL, a store (sash.open(path)), or None for memory",
            option="store",
            value=store,
        )


def open_store(store: str | Path | Store | None, namespace: str | None = None) -> Store:
    """A store: the file at a path, what a postgresql:// URL names, a store object, or None for one in memory.

    `namespace`: the tenant whom it is for, where the database keeps tenants apart; None: not said.
    Raises InvalidOption, MissingExtra, StoreErrors.
    """
    check_store(store)
    opened: Store
    if store is None:
        opened = _load("MemoryStore")()
    elif isinstance(store, str | Path) and is_url(store):
        opened = _load_postgres_store()(str(store), namespace=namespace)
    elif isinstance(store, str | Path):
        opened = _load("SqliteStore")(store)
    elif namespace is not None and isinstance(store, _load_database_store()):
        opened = store.within(namespace)
    else:
        opened = store
    return opened


def only_here(store: Any) -> bool:
    """Whether a record is kept in the memory of this process, where no other one can open it."""
    return store is None or str(getattr(store, "path", store)) == MEMORY


_LATE = {
    "MemoryStore": "memory",
    "RedisBook": "redis_book",
    "SqliteAttempts": "attempts",
    "SqliteMemos": "memos",
    "SqliteSpend": "spend",
    "SqliteStore": "sqlite",
}
"""In which module stands what is imported late."""


def __getattr__(name: str) -> Any:
    """A store, imported when it is first named; `PostgresStore` needs psycopg."""
    if name == "PostgresStore":
        return _load_postgres_store()
    if name in _LATE:
        return _load(name)
    raise AttributeError(f"module 'sash.stores' has no attribute {name!r}")


def __dir__() -> list[str]:
    """What is imported late, too: editors, notebooks and `help` look here."""
    return sorted({*globals(), *__all__})


def _load(name: str) -> Any:
    return getattr(import_module(f"sash.stores.{_LATE[name]}"), name)


def _load_database_store() -> "type[DatabaseStore]":
    from sash.stores.store import DatabaseStore  # noqa: PLC0415 - for stores that were opened before

    return DatabaseStore


def _load_postgres_store() -> Any:
    from sash.stores.opening import missing_driver  # noqa: PLC0415 - it opens databases of both kinds

    try:
        from sash.stores.postgres.store import PostgresStore  # noqa: PLC0415
    except ImportError as error:
        raise missing_driver() from error
    return PostgresStore
