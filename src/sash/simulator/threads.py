"""Server threads: conversation state that is held between requests ("Message threads" docs, SDK `lib/threads`).

`thread: {"type": "create"}` holds a conversation under its reply's id; `{"type": "continue", "previous_message_id"}`
sends what is new, and system and tools stay as they were held. State lives for five minutes after the last request; a
reply is continued once. Guessed: which fields must stay the same (`FINGERPRINT`), and what combines with no thread
(`_unsupported`). Markers of earlier requests are not held, those of system and tools are. It knows no rules of bodies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sash.simulator.calls import Denied
from sash.simulator.prompt import Block, blocks_of
from sash.simulator.shapes import Problem

BETA = "message-threads-2026-08-12"
LIFETIME = 300.0
"""Seconds after the last request."""
HELD = ("system", "tools")
"""Fields that are left out when a thread goes on."""
FINGERPRINT = ("model", *HELD)
Body = Mapping[str, Any]


@dataclass(slots=True, kw_only=True)
class _Held:
    """The state behind one reply."""

    fields: dict[str, Any]
    messages: list[Block]
    workspace: str
    until: float
    continued: bool = False
    in_flight: bool = False


@dataclass(slots=True)
class Threads:
    """All threads of one organization, by the id of the reply that they go on from."""

    _held: dict[str, _Held] = field(default_factory=dict)

    def resumed(self, body: Body, betas: Sequence[str], *, workspace: str, now: float) -> tuple[Body, str]:
        """The whole body that a request with a `thread` stands for, and the id that it goes on from ("": a new one).

        Raises Denied, with the API's error codes.
        """
        thread = body["thread"]
        whole = {name: value for name, value in body.items() if name != "thread"}
        if BETA not in betas:
            raise _denied("thread: Extra inputs are not permitted", rule="unknown_field")
        if unsupported := _unsupported(body):
            said = f"thread: cannot be combined with {', '.join(unsupported)}"
            raise _denied(said, code="thread_unsupported_request", details={"unsupported": unsupported})
        if thread == {"type": "create"}:
            return whole, ""
        previous = thread.get("previous_message_id") if isinstance(thread, Mapping) else None
        if not isinstance(previous, str) or thread != {"type": "continue", "previous_message_id": previous}:
            raise _denied("thread: Input should be of type 'create', or of type 'continue' with previous_message_id")
        held = self._found(previous, workspace, now)
        _check_fingerprint(held, body)
        messages = body.get("messages")
        return {**held.fields, **whole, "messages": [*held.messages, *(messages or [])]}, previous

    def _found(self, previous: str, workspace: str, now: float) -> _Held:
        held = self._held.get(previous)
        if held is None or held.until <= now or held.workspace != workspace:
            said = f"thread.previous_message_id: no thread state was found for {previous}"
            raise _denied(said, code="thread_not_found", status=404)
        if held.in_flight:
            raise _denied(f"thread: another request is continuing from {previous}", code="thread_continue_in_flight")
        if held.continued:
            raise _denied(f"thread: {previous} has already been continued", code="thread_already_continued")
        return held

    def begin(self, previous: str) -> None:
        """A request goes on from a reply: no other may until it is done."""
        if previous in self._held:
            self._held[previous].in_flight = True

    def end(self, previous: str, body: Body, message: Body | None, *, workspace: str, now: float) -> None:
        """The request is done; `message`: its reply, to be held, unless it is a refusal or never came whole."""
        whole = message is not None and message["stop_reason"] != "refusal"
        if previous in self._held:
            self._held[previous].in_flight, self._held[previous].continued = False, whole
        if message is None or not whole:
            return
        self._held = {id: held for id, held in self._held.items() if held.until > now}
        said = {"role": "assistant", "content": list(message["content"])}
        self._held[message["id"]] = _Held(
            fields={name: body[name] for name in HELD if name in body} | {"model": body["model"]},
            messages=[*map(_without_markers, body["messages"]), *([said] if said["content"] else [])],
            workspace=workspace,
            until=now + LIFETIME,
        )


def _without_markers(message: Block) -> Block:
    content = [
        {name: value for name, value in block.items() if name != "cache_control"}
        for block in blocks_of(message["content"])
    ]
    return {**message, "content": content}


def _check_fingerprint(held: _Held, body: Body) -> None:
    other = [name for name in FINGERPRINT if name in body and body[name] != held.fields.get(name)]
    if other:
        said = f"thread: {', '.join(other)} must be the same in all turns of a thread"
        raise _denied(said, code="thread_fingerprint_mismatch")


def _unsupported(body: Body) -> list[str]:
    """What of a body combines with no thread: automatic caching, context editing, fallbacks, bindings of thinking."""
    thinking = body.get("thinking")
    bound = isinstance(thinking, Mapping) and thinking.get("block_binding")
    named = [name for name in ("cache_control", "context_management", "fallbacks") if body.get(name)]
    return [*named, *(["thinking"] if bound else [])]


def _denied(
    message: str,
    *,
    code: str | None = None,
    status: int = 400,
    details: Mapping[str, Any] | None = None,
    rule: str = "thread",
) -> Denied:
    return Denied(Problem(rule=rule, message=message, status=status, code=code, details=details or {}))
