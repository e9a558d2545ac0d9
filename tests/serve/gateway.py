"""A gateway for its tests: calls of the Messages API by hand, and a served socket for clients of the SDKs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from starlette.testclient import TestClient

from sash import SqliteStore
from sash.simulator import Simulator
from sash.stores.store import DatabaseStore

from .running import running

MODEL = "claude-sonnet-5-5"
VERSION = {"anthropic-version": "2026-10-21"}
MILL: list[dict[str, Any]] = [
    {"role": "user", "content": "The roof needs 2,400 slates."},
    {"role": "assistant", "content": "Understood. You said: The roof needs 2,400 slates."},
]
"""How the conversation "mill" begins, as a client holds it."""


def user(text: str) -> dict[str, Any]:
    """What a user says."""
    return {"role": "user", "content": text}


def body(*messages: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A body of the Messages API."""
    return {"model": MODEL, "max_tokens": 500, "messages": list(messages), **fields}


def post(client: TestClient, *messages: dict[str, Any], to: str | None = "mill", **fields: Any) -> Any:
    """Call the gateway; `headers` among the fields go along."""
    named = {} if to is None else {"x-sash-conversation": to}
    headers = {**VERSION, **named, **fields.pop("headers", {})}
    return client.post("/v1/messages", json=body(*messages, **fields), headers=headers)


def events(answer: Any) -> list[dict[str, Any]]:
    """The events of a streamed answer."""
    assert answer.headers["content-type"].startswith("text/event-stream"), answer.text
    return [json.loads(line.removeprefix("data: ")) for line in answer.text.split("\n") if line.startswith("data: ")]


def held(store: SqliteStore, id: str = "mill") -> list[dict[str, Any]]:
    """All that a client holds who was there from the beginning."""
    turns = store.turns.read(store.branches.open(namespace="", id=id).conversation)
    return [{"role": turn.role, "content": turn.blocks} for turn in turns]


@contextmanager
def socket_of(store: DatabaseStore, simulator: Simulator | None = None, **settings: Any) -> Iterator[str]:
    """The address of a gateway that listens in a thread."""
    client = (simulator or Simulator(thinking=False)).async_client()
    with running(store, client, **settings) as (url, _):
        yield url.rstrip("/")
