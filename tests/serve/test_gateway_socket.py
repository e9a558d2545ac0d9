"""Anthropic's own SDK over a socket: replies, streams, errors, and a stream that is left."""

from __future__ import annotations

import time
from contextlib import closing
from http import HTTPStatus
from typing import Any

import anthropic
import httpx2
import pytest

from sash import SqliteStore
from sash.limits import Ceiling
from sash.simulator import Clock, Reply, Simulator
from sash.stores.postgres.store import PostgresStore

from .gateway import MODEL, socket_of


def claude(url: str) -> anthropic.Anthropic:
    """A client whose base URL is the gateway's."""
    return anthropic.Anthropic(base_url=url, api_key="none", default_headers={"x-sash-conversation": "mill"})


def test_the_sdk_talks_streams_counts_and_is_refused(store: SqliteStore) -> None:
    """What it makes of answers is what it makes of Claude's."""
    with socket_of(store) as url, claude(url) as client:
        asked = [{"role": "user", "content": "How many slates does the roof need?"}]
        message = client.messages.create(model=MODEL, max_tokens=200, messages=asked)  # type: ignore[arg-type]
        assert "2,400" in message.content[-1].text  # type: ignore[union-attr]
        with client.messages.stream(model=MODEL, max_tokens=200, messages=asked) as stream:  # type: ignore[arg-type]
            said = "".join(stream.text_stream)
            assert stream.get_final_text() == said and "2,400" in said
        assert client.messages.count_tokens(model=MODEL, messages=asked).input_tokens > 0  # type: ignore[arg-type]
        other = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, asked[0]]
        with pytest.raises(anthropic.ConflictError, match=r"messages\.0"):
            client.messages.create(model=MODEL, max_tokens=200, messages=other)  # type: ignore[arg-type]


def test_a_stream_that_is_left_is_recorded_as_interrupted(store: SqliteStore) -> None:
    """The client hangs up in the middle: what had come is kept, and the conversation goes on."""
    sim = Simulator(thinking=False, clock=Clock(wall=True), seconds_per_token=0.02)
    sim.script([Reply(content="Slates are laid from the eaves upwards. " * 200)])
    conversation = store.branches.open(namespace="", id="mill").conversation
    with socket_of(store, sim) as url, claude(url) as client:
        asked = [{"role": "user", "content": "How?"}]
        with client.messages.stream(model=MODEL, max_tokens=5_000, messages=asked) as stream:  # type: ignore[arg-type]
            assert next(iter(stream.text_stream))
        newest = store.turns.read(conversation, limit=1, newest=True)[0]
        until = time.monotonic() + 60
        while newest.role == "user" and time.monotonic() < until:
            time.sleep(0.02)
            newest = store.turns.read(conversation, limit=1, newest=True)[0]
        assert (newest.role, newest.state) == ("assistant", "interrupted") and newest.text.startswith("Slates")
        assert client.messages.create(model=MODEL, max_tokens=200, messages=asked).stop_reason  # type: ignore[arg-type]


def test_the_gateway_serves_a_record_in_postgresql(postgres_url: str) -> None:
    """Two servers over one database: what one records the other knows; conflicts, branches, pages and sums as ever."""
    with closing(PostgresStore(postgres_url)) as one, closing(PostgresStore(postgres_url)) as two:
        ceilings = {"ceilings": [Ceiling(dollars=9, per="user")]}
        with socket_of(one, options=ceilings) as first, socket_of(two, options=ceilings) as second:
            messages: list[Any] = []
            for url, said in ((first, "The roof needs 2,400 slates."), (second, "Well."), (first, "How many slates?")):
                messages.append({"role": "user", "content": said})
                with claude(url) as client:
                    reply = client.messages.create(
                        model=MODEL, max_tokens=200, messages=messages, extra_headers={"x-sash-user": "ann"}
                    )
                messages.append({"role": "assistant", "content": reply.content})
            assert "2,400" in reply.content[-1].text  # type: ignore[union-attr]
            with claude(second) as client:
                other: list[Any] = [*messages[:2], {"role": "user", "content": "Else?"}]
                with pytest.raises(anthropic.ConflictError, match=r"messages\.2"):
                    client.messages.create(model=MODEL, max_tokens=200, messages=other)
                branch = client.with_options(default_headers={"x-sash-on-conflict": "branch"})
                with branch.messages.stream(model=MODEL, max_tokens=200, messages=other) as stream:
                    assert stream.get_final_text()
            with httpx2.Client(base_url=first) as browser:
                assert len(browser.get("/api/conversations").json()["conversations"]) == 2
                assert [one["name"] for one in browser.get("/api/ceilings").json()["ceilings"]] == ["ann"]
                for place in ("/", "/c/mill", "/c/mill/requests/2", "/usage", "/memory/ann", "/?q=slates"):
                    assert browser.get(place).status_code == HTTPStatus.OK, place
