"""A served record: an application over a file, on the simulator, and a client that asks it."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
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


@pytest.fixture(scope="session")
def mill(empty_record: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A record with the conversation "mill" of ann: three exchanges about a mill."""
    path = tmp_path_factory.mktemp("mill") / "chats.db"
    shutil.copy(empty_record, path)
    client = Simulator(thinking=False).client()
    with Conversation(path, id="mill", user="ann", system="You are a builder.", client=client) as chat:
        chat.send("The roof needs 2,400 slates.")
        chat.send("The mason [Lacasse] wants 18,450 euros.")
        chat.send("How many slates does the roof need?")
        chat.describe(title="The mill house")
    return path


@pytest.fixture
def store(mill: Path, tmp_path: Path) -> Iterator[SqliteStore]:
    """A copy of it, opened."""
    with closing(SqliteStore(shutil.copy(mill, tmp_path))) as copied:
        yield copied


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
