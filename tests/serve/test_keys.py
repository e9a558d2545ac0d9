"""Whose key pays for Claude: the caller's own where the server has none, the server's where it has one."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import pytest
from starlette.testclient import TestClient

from sash import SqliteStore
from sash.serve.app import make_app
from sash.serve.settings import AccessToken, ServeSettings
from sash.simulator import Simulator

from .conftest import HOST
from .gateway import body, user

TOKEN = "correct-horse-battery"
NAMED = {"x-sash-conversation": "mill"}


@pytest.fixture
def claude(monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    """A Claude behind a socket, at the base URL that the environment names; no key there."""
    simulator = Simulator(thinking=False, keys={f"sk-ant-{whose}": whose for whose in ("hers", "his", "ours")})
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with simulator.serve() as url:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", url)
        yield simulator


def calls(client: TestClient, headers: dict[str, str]) -> list[int]:
    """One call of each kind: said in a conversation, streamed, counted, passed on, models; their statuses."""
    said: dict[str, Any] = body(user("How many slates does the roof need?"))
    return [
        client.post("/v1/messages", json=said, headers={**headers, **NAMED}).status_code,
        client.post("/v1/messages", json={**said, "stream": True}, headers={**headers, **NAMED}).status_code,
        client.post("/v1/messages/count_tokens", json=body(user("Why?")), headers={**headers, **NAMED}).status_code,
        client.post("/v1/messages", json=said, headers=headers).status_code,
        client.post("/v1/chat/completions", json=said, headers={**headers, **NAMED}).status_code,
        client.get("/v1/models", headers=headers).status_code,
    ]


def paid(claude: Simulator) -> set[str]:
    """Whose keys came to Claude since this was last asked."""
    found = {call.workspace for call in claude.log}
    claude.log.clear()
    return found


@pytest.mark.parametrize("header", ["x-api-key", "authorization"])
def test_a_callers_own_key_pays_for_its_calls_and_no_others(claude: Simulator, store: SqliteStore, header: str) -> None:
    """Without any key: 401 and nothing is recorded; with one: it goes to Claude, each caller's with their own calls."""
    with TestClient(make_app(ServeSettings(), store), HOST) as client:
        assert set(calls(client, {})) == {HTTPStatus.UNAUTHORIZED}
        assert store.describe("mill").requests == 3 and not claude.log
        for key in ("sk-ant-hers", "sk-ant-his"):
            headers = {header: f"Bearer {key}" if header == "authorization" else key}
            assert set(calls(client, headers)) == {HTTPStatus.OK}
            assert paid(claude) == {key.removeprefix("sk-ant-")}
        assert set(calls(client, {})) == {HTTPStatus.UNAUTHORIZED} == set(calls(client, {header: "Bearer wrong"}))


def test_a_token_of_the_server_is_no_key(claude: Simulator, store: SqliteStore) -> None:
    """It opens the server and never goes to Claude; the key comes in the other header."""
    with TestClient(make_app(ServeSettings(tokens=(AccessToken(token=TOKEN),)), store), HOST) as client:
        assert set(calls(client, {"x-api-key": TOKEN})) == {HTTPStatus.UNAUTHORIZED}
        for headers in (
            {"x-api-key": "sk-ant-hers", "authorization": f"Bearer {TOKEN}"},
            {"x-api-key": TOKEN, "authorization": "Bearer sk-ant-hers"},
        ):
            assert set(calls(client, headers)) == {HTTPStatus.OK}
            assert paid(claude) == {"hers"}


def test_where_the_server_has_a_key_it_pays(
    claude: Simulator, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a client sends as its key, as SDKs always do."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-ours")
    with TestClient(make_app(ServeSettings(), store), HOST) as client:
        assert set(calls(client, {"x-api-key": "none"})) == {HTTPStatus.OK}
        assert paid(claude) == {"ours"}
