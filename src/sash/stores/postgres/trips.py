"""Statements that go to the server together: one way there and back for all, where each alone would take one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg

Asked = tuple[str, Sequence[Any] | None]
"""A statement with `$1`, `$2`, ..., and its values."""


def in_one_trip(connection: psycopg.Connection[Any], asked: Sequence[Asked]) -> list[psycopg.Cursor[Any]]:
    """What each of these statements finds, run in their order; those behind one that fails are not run.

    Raises the psycopg.Error of the first that fails.
    """
    if len(asked) == 1 or not psycopg.Pipeline.is_supported():
        return [connection.execute(*one) for one in asked]
    found: list[psycopg.Cursor[Any]] = []
    failed: psycopg.Error | None = None
    try:
        with connection.pipeline():
            try:
                found = [connection.execute(*one) for one in asked]
            except psycopg.Error as error:
                failed = error  # the pipeline's end would only say that it was aborted
    except psycopg.Error as error:
        failed = failed or error
    if failed is not None:
        raise failed
    return found
