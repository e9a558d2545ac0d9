"""Every error that sash raises, sorted by whose move is next.

    SashError
    ├── CallerError                  yours: nothing was sent, nothing was written
    │   ├── InvalidContent           a message the API would refuse (empty, orphaned result, two system prompts, ...)
    │   ├── InvalidOption            an unknown, misspelt or contradictory option or setting
    │   ├── UnknownModel             a misspelt model (it says which is meant), or one without prices
    │   ├── BudgetExceeded           nothing legal fits; names the largest part and the missing tokens
    │   ├── ConversationBusy         another call writes to it, and this one may not wait (any longer)
    │   ├── ConversationClosed       the conversation (or its store) was closed
    │   ├── NotFound                 no such conversation, turn or request
    │   ├── NothingToRetry           ``retry`` / ``regenerate`` without a turn to act on
    │   ├── InvalidImport            a file that cannot be read as the format asked for; names the line
    │   ├── MissingExtra             an optional dependency; names the pip line
    │   └── NotSupported             the client (a cloud platform) or the model lacks what was asked for
    ├── RemoteError                  Claude's side; the user's turn is recorded, `state` says how
    │   ├── RequestRejected          400, 413: the turn is withdrawn, the conversation goes on without it
    │   ├── AccessDenied             401, 402, 403, 404: the turn is pending; mend the key or model, then ``retry()``
    │   ├── Unavailable              429, 5xx, timeouts, lost connections: the turn is pending; ``retry()`` sends it
    │   │   ├── LimitReached         a rate limit would keep it longer than it may wait; it was not sent
    │   │   ├── BreakerOpen          the model failed too often lately; it was not sent, ``retry_after`` says when
    │   ├── CeilingReached           a ceiling of dollars or tokens; it was not sent, the turn is pending
    │   ├── ReplyInterrupted         the stream ended early: what had come is recorded as interrupted
    │   └── ReplyUnparsed            the reply is no JSON of the schema asked for; it is recorded as any other
    └── StoreError                   the database's side
        ├── ForeignDatabase          a file that is no SQLite database, or not one of sash's
        ├── NewerSchema              written by a newer sash
        ├── StoreUnavailable         locked for too long, read-only, full disk, unreadable
        ├── Conflict                 another process or object wrote a newer turn first; names it
        └── CopyDiffers              a copied record is not the one that it was copied from; names the first row

Facts are attributes (keyword arguments of the constructor), the remedy is in the text.
"""

from __future__ import annotations

from typing import Any


class SashError(Exception):
    """The root of the tree; never raised itself. Keyword arguments become attributes."""

    def __init__(self, message: str, **facts: Any) -> None:
        super().__init__(message)
        self.facts = facts

    def __getattr__(self, name: str) -> Any:
        facts = self.__dict__.get("facts", {})
        if name in facts:
            return facts[name]
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}; it knows {sorted(facts)}")


class CallerError(SashError, ValueError):
    """The caller's move: nothing was sent and nothing was written."""


class InvalidContent(CallerError):
    """A message that the API would refuse. Facts: ``problem``."""


class InvalidOption(CallerError):
    """An unknown, misspelt or contradictory option. Facts: ``option``, ``value``."""


class UnknownModel(CallerError):
    """A known model misspelt, or one without prices. Facts: ``model``, ``known``, ``meant`` where it is misspelt."""


class BudgetExceeded(CallerError):
    """Nothing legal fits the budget. Facts: ``budget``, ``needed``, ``missing`` (tokens), ``largest`` (what)."""


class ConversationBusy(CallerError):
    """Another call writes to the conversation now. Facts: ``conversation``; of a line, ``ahead``, ``waited`` (s)."""


class ConversationClosed(CallerError):
    """The conversation or its store was closed. Facts: ``conversation``."""


class NotFound(CallerError):
    """No such conversation, turn or request. Facts: ``kind``, ``key``."""


class NothingToRetry(CallerError):
    """There is no turn to send again. Facts: ``conversation``."""


class InvalidImport(CallerError):
    """A file that cannot be read as the format asked for. Facts: ``path``, ``line``."""


class MissingExtra(CallerError):
    """An optional dependency is not installed. Facts: ``extra``."""


class NotSupported(CallerError):
    """The client's platform or the model lacks a feature. Facts: ``feature``."""


class RemoteError(SashError):
    """Claude's side. Facts: ``status``, ``kind`` (the API's error type), ``request_id``, ``turn`` (id), ``state``."""


class RequestRejected(RemoteError):
    """400 or 413: the request can never succeed as it is; its turn is withdrawn."""


class AccessDenied(RemoteError):
    """401, 402, 403 or 404: key, payment, permission or model; its turn is pending."""


class Unavailable(RemoteError):
    """429, 5xx, a timeout or a lost connection; its turn is pending. Facts also: ``retry_after`` (seconds or None)."""


class LimitReached(Unavailable):
    """Not sent: a rate limit would keep it too long, or for ever. Facts also: ``limit`` (its kind), ``pool``."""


class BreakerOpen(Unavailable):
    """Not sent: the model failed too often lately. ``retry_after``: seconds until it is tried again."""


class CeilingReached(RemoteError):
    """Not sent: it might pass a ceiling. Facts also: ``scope``, ``key``, ``period``; dollars ``spent``, ``needed``."""


class ReplyInterrupted(RemoteError):
    """The reply ended early; what had come is recorded. Facts also: ``partial`` (text)."""


class ReplyUnparsed(RemoteError):
    """The reply is not what `output_format` asked for. Facts also: ``reply`` (as recorded), ``number``."""


class StoreError(SashError):
    """The database's side; nothing of the failed step was written."""


class ForeignDatabase(StoreError):
    """Not a SQLite file, or a database that sash did not make. Facts: ``path``."""


class NewerSchema(StoreError):
    """Written by a newer sash. Facts: ``path``, ``found`` (migration names)."""


class StoreUnavailable(StoreError):
    """Locked for too long, read-only, full, or unreadable. Facts: ``path``."""


class Conflict(StoreError):
    """Another writer appended first; nothing was written. Facts: ``expected``, ``newest`` (turn ids)."""


class CopyDiffers(StoreError):
    """A copied record is not the one that it was copied from. Facts: ``table``, ``key`` (of the first such row)."""
