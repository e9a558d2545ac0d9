"""What went wrong at PostgreSQL, in our own words: what was written, and what to do."""

from __future__ import annotations

import psycopg
from psycopg import errors

from sash.errors import StoreUnavailable
from sash.stores.postgres.url import Address

NOTHING = "Nothing of this step was written"

_REMEDIES: tuple[tuple[type[psycopg.Error], str], ...] = (
    (errors.LockNotAvailable, "another writer held it for too long; try again"),
    (errors.DeadlockDetected, "another writer held it, too; try again"),
    (errors.SerializationFailure, "another writer was first; try again"),
    (errors.QueryCanceled, "the server stopped the statement; raise its statement_timeout, or try again"),
    (errors.DiskFull, "the server's disk is full; make room there"),
    (errors.InsufficientPrivilege, "give this user the rights on the schema that its owner has"),
    (errors.ReadOnlySqlTransaction, "the server only reads (a replica?); name the primary"),
    (errors.UndefinedTable, "a table of the record is missing; restore it, or name another schema"),
    (psycopg.OperationalError, "the next call connects again by itself; see the server's log if it goes on"),
)
_REFUSED = (
    ("password authentication failed", "the user or the password is wrong"),
    ("no password supplied", "the server asks for a password: in the URL, PGPASSWORD or ~/.pgpass"),
    ("does not exist", "create it, or name another one"),
    ("no pg_hba.conf entry", "the server lets this user in from here only if its pg_hba.conf says so"),
    ("too many clients", "the server has no connection left; close some, or raise its max_connections"),
    ("starting up", "the server is being started; try again"),
    ("shutting down", "the server is being stopped; start it again"),
)


def unavailable(address: Address, error: psycopg.Error) -> StoreUnavailable:
    """The error of ours for one of PostgreSQL's in a transaction of which nothing was written."""
    remedy = next((said for kind, said in _REMEDIES if isinstance(error, kind)), "see the server's log")
    if "row-level security" in str(error):
        remedy = "this store shows one namespace, and writes to no other: open it for that one (namespace=NAME)"
    return StoreUnavailable(f"{address.shown!r}: {said_by(address, error)}; {remedy}. {NOTHING}", path=address.shown)


def unreachable(address: Address, error: psycopg.Error) -> StoreUnavailable:
    """The error for a server that lets nobody in."""
    said = said_by(address, error)
    remedy = next((remedy for words, remedy in _REFUSED if words in said), "is the server running, and reachable?")
    return StoreUnavailable(f"cannot open {address.shown!r}: {said}; {remedy}. {NOTHING}", path=address.shown)


def said_by(address: Address, error: psycopg.Error) -> str:
    """What the server or libpq said, in one line, without the password."""
    said = " ".join((error.diag.message_primary or str(error) or type(error).__name__).split())
    return said.replace(address.secret, "***") if address.secret else said
