"""What the headers of a call say: which conversation is meant, whose key pays, which version of the API is spoken.

    x-sash-conversation   its id; odd characters percent-encoded (UTF-8)
    x-sash-user           whose it is
    x-sash-namespace      the tenant; with tokens, that of the token and no other
    x-sash-messages       all: the list is all that was said; new: it is what is new; auto (default): as it shows itself
    x-sash-on-conflict    error (default), or branch: a list that says otherwise goes on in a branch
    x-sash-budget, x-sash-memory   as `Conversation` takes them
    idempotency-key       the client's own name for this submission: sent twice, it is answered once

Without the first, the session that Claude Code names in `metadata.user_id` is the conversation: its lists are all that
was said, and branch; it is remembered whole (`memory="all"`), up to the model's window, for it minds its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal, get_args
from urllib.parse import quote, unquote

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException

from sash.errors import InvalidOption, UnknownModel
from sash.model.cards import ModelCard, card
from sash.serve.gateway.known import Lists
from sash.serve.security import bearer_of, granted
from sash.serve.settings import AccessToken
from sash.serve.talks import Chosen
from sash.types import MemoryMode

OnConflict = Literal["error", "branch"]
_SESSION = re.compile(r"_session_([0-9A-Za-z-]{8,64})\Z")
_SAFE = "!#$&'()*+,-./:;<=>?@[]^_`{|}~"
"""What stands in a header as it is; a percent sign does not, for it begins what is encoded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where a call goes."""

    namespace: str
    conversation: str | None
    """None: it is passed on"""
    chosen: Chosen
    lists: Lists
    on_conflict: OnConflict
    token: str | None
    betas: tuple[str, ...]
    version: str = field(default="")
    """of the API, as the caller named it"""


def address_of(headers: Headers, body: Mapping[str, Any], namespace: str, tokens: Sequence[AccessToken]) -> Destination:
    """Where a call goes, in the namespace of its token. Raises InvalidOption, HTTPException 403."""
    named = told(headers, "conversation")
    session = None if named else session_of(body)
    lists: Lists | None = _one_of(headers, "messages", get_args(Lists))
    on_conflict: OnConflict | None = _one_of(headers, "on-conflict", get_args(OnConflict))
    return Destination(
        namespace=_namespace(headers, namespace, tokens),
        conversation=named or session,
        chosen=Chosen(
            user=told(headers, "user"),
            budget=_whole(headers, "budget") or (_all_of_the_window(body) if session else None),
            memory=_one_of(headers, "memory", get_args(MemoryMode)) or ("all" if session else None),
            key=key_of(headers, tokens),
        ),
        lists=lists or ("all" if session else "auto"),
        on_conflict=on_conflict or ("branch" if session else "error"),
        token=headers.get("idempotency-key"),
        betas=tuple(filter(None, (beta.strip() for beta in headers.get("anthropic-beta", "").split(",")))),
        version=headers.get("anthropic-version", ""),
    )


def told(headers: Headers, name: str) -> str | None:
    """The text of one of our headers, percent-encoding undone; None where it is missing or empty."""
    given = headers.get(f"x-sash-{name}", "").strip()
    with suppress(UnicodeError):
        given = given.encode("latin-1").decode()  # sent as plain UTF-8
    return unquote(given) or None


def encoded(text: str) -> str:
    """A text as it stands in a header: `told` reads it again."""
    return quote(text, safe=_SAFE)


def session_of(body: Mapping[str, Any]) -> str | None:
    """The session that Claude Code names in a body, if it does: within `metadata.user_id`, as JSON or at its end."""
    metadata = body.get("metadata")
    user = metadata.get("user_id") if isinstance(metadata, Mapping) else None
    if not isinstance(user, str):
        return None
    try:
        found = json.loads(user)
    except ValueError:
        named = _SESSION.search(user)
        return named[1] if named else None
    session = found.get("session_id") if isinstance(found, Mapping) else None
    return session if isinstance(session, str) and session else None


def _all_of_the_window(body: Mapping[str, Any]) -> int | None:
    """The most prompt tokens that leave room for a reply; None for what is no call."""
    most = body.get("max_tokens", 0)
    known = card_of(body)
    if known is None:
        return None
    room = known.window - most if isinstance(most, int) and not isinstance(most, bool) else known.window
    return room if room > 0 else None


def card_of(body: Mapping[str, Any]) -> ModelCard | None:
    """The card of the model that a body names; None for one that nobody knows."""
    try:
        return card(str(body.get("model")))
    except UnknownModel:
        return None


def key_of(headers: Headers, tokens: Sequence[AccessToken]) -> str | None:
    """The caller's own key for Claude: what was sent as one and is no token of this server."""
    given = (headers.get("x-api-key", ""), bearer_of(headers))
    return next((one for one in given if one and granted(tokens, one) is None), None)


def _namespace(headers: Headers, own: str, tokens: Sequence[AccessToken]) -> str:
    asked = told(headers, "namespace")
    if asked is None or asked == own:
        return own
    if tokens:
        raise HTTPException(403, "x-sash-namespace names another namespace than that of the token")
    return asked


def _one_of(headers: Headers, name: str, known: Sequence[str]) -> Any:
    value = told(headers, name)
    if value is not None and value not in known:
        raise InvalidOption(f"x-sash-{name}: {value!r:.60} is none of {', '.join(known)}", option=name, value=value)
    return value


def _whole(headers: Headers, name: str) -> int | None:
    value = told(headers, name)
    if value is None:
        return None
    if not (value.isascii() and value.isdigit() and len(value) < 10):
        raise InvalidOption(f"x-sash-{name}: {value!r:.60} is no number of tokens", option=name, value=value)
    return int(value)
