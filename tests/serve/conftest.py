"""A served record: an application over a file, on the simulator, and a client that asks it."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from sash import Conversation, SqliteStore
from sash.serve.app import make_app
from sash.serve.settings import ServeSettings
from sash.simulator import Simulator

HOST = "http://127.0.0.1"
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
"""A picture of one pixel."""
Serve = Callable[..., TestClient]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    """A record with the conversation "mill" of ann: three exchanges about a mill."""
    made = SqliteStore(tmp_path / "chats.db")
    client = Simulator(thinking=False).client()
    with Conversation(made, id="mill", user="ann", system="You are a builder.", client=client) as chat:
        chat.send("The roof needs 2,400 slates.")
        chat.send("The mason [Lacasse] wants 18,450 euros.")
        chat.send("How many slates does the roof need?")
        chat.describe(title="The mill house")
    yield made
    made.close()


@pytest.fixture
def serve(store: SqliteStore) -> Iterator[Serve]:
    """Serve the record with these settings; the client is entered, and left in the end."""
    entered = []

    def start(*, simulator: Simulator | None = None, headers: Any = None, **settings: Any) -> TestClient:
        talks_to = (simulator or Simulator(thinking=False)).async_client()
        app = make_app(ServeSettings(**settings), store, talks_to)
        entered.append(TestClient(app, HOST, headers=headers, follow_redirects=False))
        return entered[-1].__enter__()

    yield start
    for client in entered:
        client.__exit__(None, None, None)
