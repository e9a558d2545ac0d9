"""Errors as the APIs tell them: Anthropic's shape, and OpenAI's for its clients. Values; the message is for the client.

What Claude said keeps its status and kind. What sash says itself gets the nearest kind that clients know; whether they
should try again stands in `x-should-retry`, for sash has tried as often as it was told to.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import JSONResponse, Response

from sash.errors import (
    AccessDenied,
    BreakerOpen,
    CeilingReached,
    Conflict,
    ConversationBusy,
    CopyDiffers,
    InvalidOption,
    LimitReached,
    NotFound,
    RemoteError,
    ReplyInterrupted,
    SashError,
    StoreError,
    Unavailable,
    UnknownModel,
)

KINDS = {
    400: "invalid_request_error", 401: "authentication_error", 402: "billing_error", 403: "permission_error",
    404: "not_found_error", 405: "invalid_request_error", 408: "timeout_error", 409: "conflict_error",
    413: "request_too_large", 422: "invalid_request_error", 429: "rate_limit_error", 500: "api_error",
    503: "api_error", 504: "timeout_error", 529: "overloaded_error",
}  # fmt: skip
"""What the API calls an error of each status ("Errors" docs)."""
STATUS: tuple[tuple[type[SashError], int], ...] = (
    (CeilingReached, 402),
    (LimitReached, 429),
    (BreakerOpen, 529),
    (ConversationBusy, 409),
    (Conflict, 409),
    (UnknownModel, 404),
    (NotFound, 404),
    (CopyDiffers, 500),
    (StoreError, 503),
    (RemoteError, 502),
    (SashError, 400),
)
"""Of errors that carry none; the first that fits."""
HELD_BACK = (BreakerOpen, LimitReached, CeilingReached, AccessDenied)
"""Errors of what was not sent, unless Claude's status came with them."""
AGAIN = "the same call may be sent again"
CHAT = "/v1/chat/"
"""Where OpenAI's shape is spoken."""


NO_KEY = "no key for Claude: this server has none, and none came with the request (x-api-key)"


class Contradicted(SashError):
    """A client's list says otherwise than the record. Facts: ``place`` (index of the message)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientError:
    """What a client is told of an error."""

    status: int
    kind: str
    message: str
    code: str | None = None
    retry_after: float | None = None
    retry: bool = False
    """whether the client may simply try again"""
    id: str = field(default_factory=lambda: f"req_sash_{uuid.uuid4().hex[:20]}")
    """Claude's own id of the request, or one made up"""

    @property
    def headers(self) -> dict[str, str]:
        """What goes with it."""
        told = {"request-id": self.id, "x-should-retry": "true" if self.retry else "false"}
        if self.retry_after is not None:
            told["retry-after"] = str(max(0, round(self.retry_after)))
        return told

    def body(self, path: str) -> dict[str, Any]:
        """As the API says it that a path belongs to."""
        if path.startswith(CHAT):
            return {"error": {"message": self.message, "type": self.kind, "param": None, "code": self.code}}
        error: dict[str, Any] = {"type": self.kind, "message": self.message}
        if self.code:
            error["details"] = {"error_code": self.code}
        return {"type": "error", "error": error, "request_id": self.id}


def told_of(error: SashError) -> ClientError:
    """An error of ours, or Claude's, as its client is told."""
    if isinstance(error, InvalidOption) and error.facts.get("option") == "client":
        return ClientError(status=401, kind=KINDS[401], message=NO_KEY)
    if isinstance(error, Contradicted):
        return ClientError(status=409, kind=KINDS[409], message=str(error), code="list_contradicts_record")
    facts = error.facts
    given = facts.get("status") if isinstance(error, RemoteError) else None
    sent = isinstance(given, int) and given >= 400
    status = int(given if sent and given else next(number for kind, number in STATUS if isinstance(error, kind)))
    kind = facts.get("kind") if sent and str(facts.get("kind") or "").endswith("_error") else None
    return ClientError(
        status=status,
        kind=str(kind or KINDS.get(status, "api_error")),
        message=str((sent and facts.get("detail")) or _message(error)),
        code=facts.get("error_code"),
        retry_after=facts.get("retry_after"),
        retry=isinstance(error, ConversationBusy) or (isinstance(error, HELD_BACK) and _passes(error)),
        **({"id": facts["request_id"]} if facts.get("request_id") else {}),
    )


def _message(error: SashError) -> str:
    """An error of ours in words for somebody who has no conversation in hand."""
    facts = error.facts
    if isinstance(error, HELD_BACK):
        return f"{facts['detail']}; nothing was sent" + (f"; {AGAIN} then" if _passes(error) else "")
    if isinstance(error, ReplyInterrupted):
        kept = ", or one that goes on: what had come is recorded" if facts.get("state") == "interrupted" else ""
        return f"Claude's reply broke off ({facts['kind']}); {AGAIN}{kept}"
    if type(error) is Unavailable:
        return f"Claude's reply did not come, or broke off ({facts['kind']}); {AGAIN}"
    return str(error)


def _passes(error: SashError) -> bool:
    """Whether what was held back is let through some time later."""
    return not error.facts.get("status") and error.facts.get("retry_after") is not None


def told_by_status(status: int, message: str) -> ClientError:
    """What a guard or a route refused by its number."""
    return ClientError(status=status, kind=KINDS.get(status, "api_error"), message=message)


def refused(told: ClientError, path: str, headers: Mapping[str, str] | None = None) -> Response:
    """An error as the API tells it that a path belongs to."""
    return JSONResponse(told.body(path), told.status, {**told.headers, **(headers or {})})
