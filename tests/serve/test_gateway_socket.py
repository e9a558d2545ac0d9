"""Anthropic's own SDK over a socket: replies, streams, errors, and a stream that is left."""

from __future__ import annotations

import time

import anthropic
import pytest

from sash import SqliteStore
from sash.simulator import Clock, Reply, Simulator

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
