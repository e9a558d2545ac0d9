"""Errors as answers: a page for people, JSON for programs. No message text and no traceback leaves in a log."""

from __future__ import annotations

import logging
import traceback
from http import HTTPStatus
from typing import Any

from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sash.errors import (
    CallerError,
    CeilingReached,
    Conflict,
    ConversationBusy,
    LimitReached,
    MissingExtra,
    NotFound,
    RemoteError,
    SashError,
    StoreError,
)
from sash.serve.bounds import StalledClient
from sash.serve.gateway.errors import refused, told_by_status, told_of
from sash.serve.security import HEADERS
from sash.serve.serving import serving_of

GATEWAY = "/v1/"
"""Where errors are told as the API tells them."""
STATUS: tuple[tuple[type[SashError], int], ...] = (
    (NotFound, 404),
    (ConversationBusy, 409),
    (Conflict, 409),
    (MissingExtra, 501),
    (CallerError, 400),
    (CeilingReached, 402),
    (LimitReached, 429),
    (RemoteError, 502),
    (StoreError, 503),
    (SashError, 500),
)
"""The first that fits."""


def status_of(error: SashError) -> int:
    """The HTTP status that an error of ours is told with."""
    return next(status for kind, status in STATUS if isinstance(error, kind))


def as_json(error: SashError) -> dict[str, Any]:
    """An error of ours as the API tells it."""
    return {"error": {"type": type(error).__name__, "message": str(error)}}


def answer_sash_error(request: Request, error: Exception) -> Response:
    """An error of ours."""
    assert isinstance(error, SashError)
    if request.url.path.startswith(GATEWAY):
        return refused(told_of(error), request.url.path)
    return answer(request, status_of(error), type(error).__name__, str(error))


def answer_http_error(request: Request, error: Exception) -> Response:
    """An error that a route or a guard raised by its number."""
    assert isinstance(error, HTTPException)
    phrase = HTTPStatus(error.status_code).phrase
    return answer(request, error.status_code, phrase, error.detail, dict(error.headers or {}))


def answer_invalid(request: Request, error: Exception) -> Response:
    """A body or a query that is not what the schema says; what was given is not repeated."""
    assert isinstance(error, ValidationError)
    told = "; ".join(f"{'.'.join(map(str, one['loc'])) or 'body'}: {one['msg']}" for one in error.errors())
    return answer(request, 422, "InvalidRequest", told)


def answer_unexpected(request: Request, error: Exception) -> Response:
    """A fault of ours: the log names its kind and place."""
    del error
    told = "something went wrong in sash itself; the server's log says where"
    response = answer(request, 500, "InternalError", told)
    response.headers.update(HEADERS)  # made outside of `SafeHeaders`
    return response


def answer(request: Request, status: int, kind: str, message: str, headers: dict[str, str] | None = None) -> Response:
    """A page where a browser asks for one, else JSON."""
    wants_page = "text/html" in request.headers.get("accept", "")
    if request.url.path.startswith(GATEWAY):
        return refused(told_by_status(status, message), request.url.path, headers)
    if wants_page and not request.url.path.startswith("/api"):
        return serving_of(request).page(request, "error.html", status=status, kind=kind, message=message)
    return JSONResponse({"error": {"type": kind, "message": message}}, status, headers)


HANDLERS: dict[Any, Any] = {
    SashError: answer_sash_error,
    HTTPException: answer_http_error,
    ValidationError: answer_invalid,
    Exception: answer_unexpected,
}


class Discreet(logging.Filter):
    """Tells of an exception its kind and place alone: its message may hold what somebody said."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let the record pass, without what was said in it."""
        error = record.exc_info[1] if record.exc_info else None
        if error is None:
            return True
        if isinstance(error, StalledClient):
            return False
        *_, last = traceback.extract_tb(error.__traceback__) or [None]
        where = f" at {last.filename}:{last.lineno}" if last else ""
        record.msg, record.args = f"{type(error).__name__}{where}", ()
        record.exc_info, record.exc_text = None, None
        return True
