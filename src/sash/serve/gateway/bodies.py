"""Bodies of calls: read, and told apart into what is said and how it is to be answered."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from sash.conversation.workers import worker
from sash.errors import InvalidContent
from sash.model.blocks import plain, well_formed
from sash.model.options import BETA, BODY
from sash.planning.rules import VERSION
from sash.serve.gateway.known import MARKER, unmarked

LARGE = 100_000
"""Bytes of a body from which it is read off the event loop."""
ROLES = ("user", "assistant", "system")
OWN = ("messages", "stream", MARKER)
"""What is not passed on to a conversation: it makes the list, and places the markers."""
_HALF = re.compile(rb"\\u[dD][89a-fA-F]")
"""What may be half a surrogate pair."""
LASTING = ("model", "system", "tools", "max_tokens")
SAMPLING = ("temperature", "top_p", "top_k")
"""What older versions of the API take."""


async def body_of(request: Request) -> dict[str, Any]:
    """The body of a call. Raises InvalidContent for what is no JSON object."""
    raw = await request.body()
    return await worker(lambda: parsed_body(raw)) if len(raw) > LARGE else parsed_body(raw)


def parsed_body(raw: bytes) -> dict[str, Any]:
    """The JSON object of a body. Raises InvalidContent."""
    try:
        body = json.loads(raw, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        where = f" (line {error.lineno}, column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
        raise InvalidContent(f"the body is no JSON{where}: send a JSON object", problem="json") from None
    if not isinstance(body, dict):
        raise InvalidContent("the body is no JSON object", problem="json")
    if _HALF.search(raw):
        plain(body)  # half a surrogate pair that UTF-8 cannot carry is named
    return body


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def messages_of(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The list of a body, without cache markers. Raises InvalidContent for what is no list of messages."""
    given = body.get("messages")
    if not isinstance(given, list) or not given:
        raise InvalidContent("messages: give a list of at least one message", problem="messages")
    for index, message in enumerate(given):
        if not isinstance(message, dict) or message.get("role") not in ROLES or "content" not in message:
            raise InvalidContent(
                f"messages.{index}: a message has a role (user, assistant or system) and content", problem="messages"
            )
    return [{**message, "content": unmarked(message["content"])} for message in given]


def options_of(body: Mapping[str, Any], betas: Sequence[str] = (), version: str = "") -> dict[str, Any]:
    """How a call is to be answered, as a conversation's `send` takes it."""
    given = {name: value for name, value in body.items() if name not in OWN and value is not None}
    older = bool(version) and version != VERSION
    known = (*LASTING, *BODY, *BETA, *(() if older else SAMPLING))
    options = {name: unmarked(value) for name, value in given.items() if name in known}
    if further := {name: value for name, value in given.items() if name not in known}:
        options["extra_body"] = further
    if betas:
        options["betas"] = list(betas)
    if older:
        options["extra_headers"] = {"anthropic-version": version}
    return options


@dataclass(frozen=True, kw_only=True)
class New:
    """What a list says that the record does not know, in its order."""

    past: list[dict[str, Any]]
    """what was said elsewhere, up to the last reply"""
    instructions: list[dict[str, Any]]
    """messages of role system behind it"""
    question: list[Any]
    """blocks of what the user says now; [] for nothing"""


def new_of(messages: Sequence[Mapping[str, Any]]) -> New:
    """Tell apart what is new. Raises InvalidContent for what is no content."""
    replies = [index for index, message in enumerate(messages) if message["role"] == "assistant"]
    since = replies[-1] + 1 if replies else 0
    past, now = messages[:since], messages[since:]
    return New(
        past=[dict(message) for message in past],
        instructions=[dict(message) for message in now if message["role"] == "system"],
        question=[block for message in now if message["role"] == "user" for block in well_formed(message["content"])],
    )
