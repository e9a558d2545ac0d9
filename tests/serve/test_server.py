"""A server on a socket: clients that leave, stall or say half of something; and its own end."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import pytest
from starlette.exceptions import HTTPException

from sash import SqliteStore
from sash.serve import server as serving
from sash.serve.bounds import Bounds, StalledClient
from sash.serve.replies import COMMENT, HELD, QUIET, Replies, Tell
from sash.serve.settings import ServeSettings

from .conftest import Serve
from .running import PATIENCE, running, slow_client, slow_simulator

LONG = "Please tell me all of this again: " + "the roof needs slates, and the mason wants his money. " * 12

HALF = (
    b"POST /login HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/x-www-form-urlencoded\r\n"
    b"content-length: 100\r\n\r\nhalf of it"
)


def wait_for(found: Callable[[], bool]) -> None:
    """Until something is so; the time-out only ends a hang."""
    until = time.monotonic() + PATIENCE
    while not found():
        assert time.monotonic() < until
        time.sleep(0.02)


def states(store: SqliteStore, id: str = "mill") -> list[str]:
    """The states of a conversation's turns."""
    return [turn.state for turn in store.turns.read(store.branches.open(namespace="", id=id).conversation)]


def ask(url: str, body: dict[str, object], what: str = "send") -> bytes:
    """A request to talk, as it goes over the wire."""
    sent = json.dumps(body).encode()
    host = urlsplit(url).netloc
    head = f"POST /api/conversations/mill/{what} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: {len(sent)}\r\n\r\n".encode() + sent


def connect(url: str) -> socket.socket:
    """A connection to the server."""
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname or "", parts.port or 0), timeout=PATIENCE)


def read_until(one: socket.socket, words: bytes, received: bytes = b"") -> bytes:
    """What comes, until these words have."""
    while words not in received:
        piece = one.recv(4096)
        assert piece, received
        received += piece
    return received


def test_a_reader_who_leaves_leaves_an_interrupted_reply(store: SqliteStore) -> None:
    """What had come is recorded, and the conversation goes on."""
    with running(store, slow_client()) as (url, _):
        with connect(url) as one:
            one.sendall(ask(url, {"content": LONG}))
            read_until(one, b"event: text")
        wait_for(lambda: states(store)[-1] == "interrupted")
        body = json.dumps({"content": "Go on.", "stream": False}).encode()
        again = Request(f"{url}api/conversations/mill/send", body, {"content-type": "application/json"})
        with urlopen(again, timeout=PATIENCE) as answer:
            assert json.load(answer)["state"] == "answered"


def test_a_stop_from_elsewhere_ends_the_stream_and_keeps_what_came(store: SqliteStore) -> None:
    """Another tab stops the reply: the reader sees the end of its stream."""
    with running(store, slow_client()) as (url, _), connect(url) as one, connect(url) as other:
        one.sendall(ask(url, {"content": LONG}))
        received = read_until(one, b"event: text")
        other.sendall(ask(url, {}, "stop"))
        read_until(other, b'{"stopped":1}')
        assert b"event: done" not in read_until(one, b"\r\n0\r\n\r\n", received)
        wait_for(lambda: states(store)[-1] == "interrupted")


def test_the_end_of_the_server_is_the_end_of_its_replies(store: SqliteStore) -> None:
    """Told to stop, it gives replies in hand their grace, then records them as interrupted."""
    with running(store, slow_client(), grace=0.1) as (url, server), connect(url) as one:
        one.sendall(ask(url, {"content": LONG}))
        read_until(one, b"event: text")
        server.should_exit = True
        wait_for(lambda: states(store)[-1] == "interrupted")


def test_replies_that_end_within_the_grace_are_whole(store: SqliteStore) -> None:
    """A short reply in hand is answered though the server is told to stop."""
    with running(store, slow_client(0.01), grace=PATIENCE) as (url, server), connect(url) as one:
        one.sendall(ask(url, {"content": "How many slates does the roof need?"}))
        received = read_until(one, b"event: start")
        server.should_exit = True
        read_until(one, b"event: done", received)
    assert states(store)[-1] == "answered"


def test_sigterm_ends_the_command_in_order(store: SqliteStore) -> None:
    """The process says where it listens, and a SIGTERM ends it with the reply in hand recorded."""
    command = [sys.executable, "-m", "sash", "serve", store.path, "--simulator", "--port", str(free_port())]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None and process.stderr is not None
        url = process.stdout.readline().split(" at ")[1].split()[0]
        with connect(url) as one:
            one.sendall(ask(url, {"content": "zebrawood " * 400}))
            read_until(one, b"event: text")
            process.send_signal(signal.SIGTERM)
            process.send_signal(signal.SIGINT)  # no time for grace
            assert process.wait(PATIENCE) == 0
        assert "zebrawood" not in process.stderr.read()
    assert states(store)[-1] in ("interrupted", "answered")


def free_port() -> int:
    """A port that nobody listens on."""
    with closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        (HALF, b"408"),
        (b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\nx: " + b"y" * 66_000, b"400"),
        (b"\x16\x03\x01\x02\x00\x01\x00 this is no HTTP\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n", b""),
    ],
)
def test_half_requests_and_none_at_all_end(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch, sent: bytes, told: bytes
) -> None:
    """A body or a head that never comes whole, one that is too long, what is no HTTP: the connection is closed."""
    monkeypatch.setattr(serving, "HEAD_SECONDS", 0.3)
    with running(store, slow_client(), body_seconds=0.2) as (url, _), connect(url) as one:
        one.sendall(sent.replace(b"127.0.0.1", urlsplit(url).netloc.encode()))
        received = b""
        while piece := one.recv(65_536):
            received += piece
            if told and received.startswith(b"HTTP/1.1 408"):
                break
        assert received.startswith(b"HTTP/1.1 " + told) if told else received == b""


def test_a_client_that_takes_nothing_is_left() -> None:
    """Sending to it ends with StalledClient, which closes the connection."""

    async def stalls(message: object) -> None:
        del message
        await asyncio.sleep(PATIENCE)

    async def app(scope: object, receive: object, send: Callable[[object], Awaitable[None]]) -> None:
        del scope, receive
        await send({"type": "http.response.start"})

    async def nothing() -> dict[str, object]:
        return {}

    guarded = Bounds(app, ServeSettings(stall_seconds=0.01))  # type: ignore[arg-type]
    with pytest.raises(StalledClient):
        asyncio.run(guarded({"type": "http", "headers": []}, nothing, stalls))


def test_a_reader_who_stalls_stops_the_reply() -> None:
    """More than a few events do not wait for anybody: the work ends, and nobody else is held up."""
    ended = []

    async def work(tell: Tell) -> None:
        try:
            for number in range(HELD * 2):
                await tell("text", {"text": str(number)})
        finally:
            ended.append(True)

    async def read_one() -> list[str]:
        replies = Replies(stall_seconds=0.01)
        events = replies.events("", "a", work)
        names = [(await anext(events))[0]]
        while not ended:
            await asyncio.sleep(0.01)
        names += [name async for name, _ in events]
        await replies.close(0.0)
        return names

    names = asyncio.run(read_one())
    assert ended == [True] and len(names) <= HELD + 1


def test_a_stream_in_which_nothing_comes_is_kept_open() -> None:
    """While the work is silent its reader is told so, and then all that it tells comes, in order."""

    async def read() -> list[str]:
        heard = asyncio.Event()

        async def work(tell: Tell) -> None:
            await tell("text", {"text": "a"})
            await heard.wait()
            await tell("done", {})

        names = []
        async for name, _ in Replies(stall_seconds=1.0, quiet_seconds=0.001).events("", "a", work):
            names.append(name)
            if name == QUIET:
                heard.set()
        return names

    names = asyncio.run(read())
    assert QUIET in names
    assert [name for name in names if name != QUIET] == ["start", "text", "done"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/conversations/mill/send", {"content": "Tell me of the roof."}),
        ("/v1/messages", {"messages": [{"role": "user", "content": "Tell me of the roof."}], "stream": True}),
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": "Tell me of the roof."}], "stream": True}),
    ],
)
def test_silence_in_a_stream_is_a_comment(serve: Serve, path: str, body: Any) -> None:
    """Each kind of stream has comment lines between its events while a reply is slow, and is otherwise whole."""
    client = serve(simulator=slow_simulator(), quiet_seconds=0.001, headers={"x-sash-conversation": "mill"})
    events = client.post(path, json=body).text.split("\n\n")
    assert COMMENT.strip() in events
    assert all(event.startswith(("event: ", "data: ")) for event in events if event and event != COMMENT.strip())
    assert any(sign in events[-2] for sign in ("event: done", "message_stop", "[DONE]"))


def test_a_server_about_to_stop_begins_no_reply() -> None:
    """503, and nothing is recorded."""

    async def begin() -> None:
        replies = Replies(stall_seconds=1.0)
        await replies.close(0.0)

        async def work(tell: Tell) -> None:
            raise AssertionError(tell)

        with pytest.raises(HTTPException) as caught:
            await anext(replies.events("", "a", work))
        assert caught.value.status_code == HTTPStatus.SERVICE_UNAVAILABLE

    asyncio.run(begin())
