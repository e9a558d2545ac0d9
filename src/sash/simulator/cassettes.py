"""Cassettes: recorded answers of the real API, without keys and secrets, to be given again.

A file of JSON lines, one call each: method, path, query and body of the request; status, headers and body (or events)
of the answer. A call is known by all of the former but its body's `metadata`; the same call recorded several times is
answered in that order, the last answer again and again. Keys, and whatever looks like one, are replaced before
anything is written, in both directions; only headers that clients act on are kept. It knows files, not the network.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sash.errors import InvalidOption
from sash.simulator.wire import Answer, Call, dumps, event

VERSION = 1
REDACTED = "REDACTED"
SECRET_HEADERS = ("authorization", "x-api-key", "proxy-authorization", "cookie")
_KEPT_HEADERS = re.compile(r"content-type|request-id|retry-after(-ms)?|x-should-retry|anthropic-ratelimit-.*")
_SECRET_FIELD = re.compile(r"(?i)(^|_)(authorization|authorization_token|api_?key|password|secret|access_token)$")
_SECRET = re.compile(
    r"\bsk-[\w-]{16,}|\b(?:ghp|gho|ghs|github_pat|xox[abprs])[_-][\w-]{16,}|\bAKIA[0-9A-Z]{16}\b|"
    r"\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}|(?<=Bearer )[\w.~+/-]{16,}=*|"
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----",
    re.S,
)
"""What looks like a key: of Anthropic and OpenAI, GitHub, Slack, AWS; web tokens, bearers, private keys."""


class Cassette:
    """The calls of a file. Raises InvalidOption, which names the line, for a file that is none."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._lock = threading.Lock()
        self._answers: dict[str, list[dict[str, Any]]] = {}
        for number, line in enumerate(_lines(self.path), 1):
            self._take(_entry(line, f"{path}, line {number}"), number)

    def __len__(self) -> int:
        return sum(map(len, self._answers.values()))

    def _take(self, entry: dict[str, Any], number: int) -> None:
        if number == 1:
            if entry.get("sash_cassette") != VERSION:
                said = f"{self.path} is no cassette of this version of sash: record it anew"
                raise InvalidOption(said, option="cassette", value=str(self.path))
        else:
            self._answers.setdefault(str(entry.get("key")), []).append(entry)

    def find(self, call: Call) -> Answer | None:
        """The answer recorded for a call, if there is one; the next of several each time."""
        body = _json(call.body)
        with self._lock:
            found = self._answers.get(_key(call, redacted(body, secrets_of(call))), [])
            entry = found.pop(0) if len(found) > 1 else found[0] if found else None
        return None if entry is None else _answer(entry)

    def add(self, call: Call, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """Record an answer that came whole; a call whose body is no JSON is left out, for it never comes again."""
        sent = _json(call.body)
        if call.body and sent is None:
            return
        secrets = secrets_of(call)
        sent = redacted(sent, secrets)
        kept = {name: value for name, value in headers.items() if _KEPT_HEADERS.fullmatch(name)}
        entry = {
            "key": _key(call, sent),
            "method": call.method,
            "path": call.path,
            "query": call.query,
            "request": sent,
            "status": status,
            "headers": kept,
            **_said(headers, body, secrets),
        }
        with self._lock:
            self._answers.setdefault(entry["key"], []).append(entry)
            _append(self.path, entry)


def secrets_of(call: Call) -> tuple[str, ...]:
    """The credentials that a call carries."""
    given = (call.headers.get(name, "").removeprefix("Bearer ").strip() for name in SECRET_HEADERS)
    return tuple(secret for secret in given if len(secret) >= 8)


def redacted(value: Any, secrets: Sequence[str] = ()) -> Any:
    """A JSON value without these secrets, without what looks like one, and without values of fields named like one."""
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, REDACTED)
        return _SECRET.sub(REDACTED, value)
    if isinstance(value, Mapping):
        return {
            name: REDACTED if _SECRET_FIELD.search(name) and isinstance(part, str) else redacted(part, secrets)
            for name, part in value.items()
        }
    return [redacted(part, secrets) for part in value] if isinstance(value, list) else value


def redacted_events(events: Sequence[Any], secrets: Sequence[str] = ()) -> list[Any]:
    """The events of a stream without secrets, those that lie across several deltas too: such a block comes at once."""
    joined: dict[tuple[Any, str], str] = {}
    for change in events:
        if place := _text_place(change):
            joined[place] = joined.get(place, "") + change["delta"][place[1]]
    clean = {place: redacted(text, secrets) for place, text in joined.items()}
    found = []
    for change in events:
        place = _text_place(change)
        if place is None or clean.get(place) == joined[place]:
            found.append(redacted(change, secrets))
        elif place in clean:
            found.append({**change, "delta": {**change["delta"], place[1]: clean.pop(place)}})
    return found


_TEXTS = ("text", "thinking", "partial_json")


def _text_place(change: Any) -> tuple[Any, str] | None:
    """Which text of which block a delta adds to."""
    delta = change.get("delta") if isinstance(change, Mapping) else None
    name = next((name for name in _TEXTS if isinstance(delta, Mapping) and isinstance(delta.get(name), str)), None)
    return None if name is None else (change.get("index"), name)


def _key(call: Call, body: Any) -> str:
    told = {name: value for name, value in body.items() if name != "metadata"} if isinstance(body, Mapping) else body
    named = json.dumps([call.method, call.path, call.query, told], sort_keys=True)
    return hashlib.blake2b(named.encode(), digest_size=12).hexdigest()


def _json(body: bytes) -> Any:
    try:
        return json.loads(body) if body else None
    except ValueError:
        return None


def _said(headers: Mapping[str, str], body: bytes, secrets: Sequence[str]) -> dict[str, Any]:
    """What was answered, by the kind of its content."""
    if "text/event-stream" in headers.get("content-type", ""):
        return {"events": redacted_events(list(events_of(body)), secrets)}
    parsed = _json(body)
    if parsed is not None:
        return {"body": redacted(parsed, secrets)}
    return {"text": redacted(body.decode("utf-8", "replace"), secrets)}


def events_of(stream: bytes) -> Iterator[Any]:
    """The data of each server-sent event."""
    for line in stream.decode("utf-8", "replace").splitlines():
        if line.startswith("data:"):
            yield _json(line.removeprefix("data:").encode())


def message_in(pieces: Iterable[bytes], body: bytes) -> Mapping[str, Any]:
    """The message that an answer holds, at once or streamed: its id, model, usage and stop reason; {} without one."""
    message: dict[str, Any] = {}
    for change in events_of(b"".join(pieces)):
        started, ended = change.get("message"), change.get("delta") if change.get("type") == "message_delta" else None
        message |= started or {}
        if isinstance(ended, Mapping):
            message |= {"stop_reason": ended.get("stop_reason")}
            message["usage"] = {**message.get("usage", {}), **(change.get("usage") or {})}
    whole = _json(body)
    return message or (whole if isinstance(whole, dict) and whole.get("type") == "message" else {})


def _answer(entry: Mapping[str, Any]) -> Answer:
    headers = dict(entry["headers"])
    if "events" in entry:
        return Answer(status=entry["status"], headers=headers, pieces=_stream(entry["events"]))
    body = dumps(entry["body"]) if "body" in entry else str(entry["text"]).encode()
    return Answer(status=entry["status"], headers=headers, body=body)


def _stream(events: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    return (event(change) for change in events if isinstance(change, Mapping))


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8").splitlines() if path.exists() else []
    except (OSError, ValueError) as error:
        raise InvalidOption(f"{path} cannot be read: {error}", option="cassette", value=str(path)) from error


def _entry(line: str, at: str) -> dict[str, Any]:
    entry = _json(line.encode())
    if not isinstance(entry, dict):
        raise InvalidOption(f"{at}: no line of a cassette", option="cassette", value=at)
    if "sash_cassette" not in entry and not {"key", "status", "headers"} <= set(entry):
        raise InvalidOption(f"{at}: a call needs key, status and headers", option="cassette", value=at)
    return entry


def _append(path: Path, entry: Mapping[str, Any]) -> None:
    """One line more; a file that is new is its owner's alone, for it holds what was said."""
    new = not path.exists()
    head = dumps({"sash_cassette": VERSION}) + b"\n" if new else b""
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    with os.fdopen(handle, "ab") as file:
        file.write(head + dumps(entry) + b"\n")
