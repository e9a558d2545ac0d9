"""Clients of every kind: the caller's, the clouds', with what they lack said in our words."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import pytest

from sash import Conversation
from sash.errors import AccessDenied, BudgetExceeded, InvalidOption, Unavailable

REPLY = {
    "id": "msg_1", "type": "message", "role": "assistant", "model": "x", "stop_reason": "end_turn",
    "content": [{"type": "text", "text": "Hello."}], "stop_sequence": None,
    "usage": {"input_tokens": 9, "output_tokens": 3},
}  # fmt: skip

CLOUDS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "vertex": (
        "claude-sonnet-5-5@20260901",
        lambda http: anthropic.AnthropicVertex(region="us-east5", project_id="p", access_token="t", http_client=http),
    ),
    "foundry": (
        "claude-sonnet-5-5",
        lambda http: anthropic.AnthropicFoundry(resource="r", api_key="k", http_client=http),
    ),
    "aws": (
        "claude-sonnet-5-5",
        lambda http: anthropic.AnthropicAWS(aws_region="us-east-1", api_key="k", workspace_id="w", http_client=http),
    ),
    "bedrock, new": (
        "anthropic.claude-sonnet-5-5",
        lambda http: anthropic.AnthropicBedrockMantle(aws_region="us-east-1", api_key="k", http_client=http),
    ),
}


class Wire:
    """A transport that answers from a list and keeps what it saw."""

    def __init__(self) -> None:
        self.seen: list[httpx2.Request] = []
        self.answers: list[httpx2.Response] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.seen.append(request)
        return self.answers.pop(0) if self.answers else httpx2.Response(200, json=REPLY)


@pytest.fixture
def wire() -> Wire:
    """What is behind the client."""
    return Wire()


@pytest.fixture
def http(wire: Wire) -> Iterator[httpx2.Client]:
    """An HTTP client on it."""
    with httpx2.Client(transport=httpx2.MockTransport(wire)) as client:
        yield client


@pytest.mark.parametrize("cloud", sorted(CLOUDS))
def test_a_cloud_client_talks(cloud: str, wire: Wire, http: httpx2.Client) -> None:
    """The conversation goes through its own address; the second request holds the first exchange."""
    model, make = CLOUDS[cloud]
    with Conversation(model=model, client=make(http)) as chat:
        chat.send("One.")
        reply = chat.send("Two.")
        assert reply.text == "Hello."
        assert reply.cost is not None
        assert chat.request(2).intact
    assert len(json.loads(wire.seen[1].content)["messages"]) == 3


@pytest.mark.skipif(find_spec("botocore") is not None, reason="botocore is installed")
def test_a_cloud_client_that_lacks_its_package_says_which(http: httpx2.Client) -> None:
    """AccessDenied, with the turn safe in the record."""
    keys: dict[str, Any] = {"aws_region": "us-east-1", "aws_access_key": "a", "aws_secret_key": "b"}
    client = anthropic.AnthropicBedrock(**keys, http_client=http)
    with Conversation(model="anthropic.claude-sonnet-5-5", client=client) as chat:
        with pytest.raises(AccessDenied, match="botocore"):
            chat.send("One.")
        assert [turn.state for turn in chat.history()] == ["pending"]


def test_where_a_client_cannot_count_the_bound_decides(wire: Wire, http: httpx2.Client) -> None:
    """The legacy Bedrock client refuses count_tokens itself: that is no error of a send."""

    refused = []

    class NoCounting(anthropic.Anthropic):
        def _prepare_options(self, options: Any) -> Any:
            if "count_tokens" in options.url:
                refused.append(options.url)
                raise anthropic.AnthropicError("Token counting is not supported in Bedrock yet")
            return super()._prepare_options(options)

    client = NoCounting(api_key="k", http_client=http)
    with Conversation(client=client) as chat:
        expected = chat.plan(question := "a word or two " * 50).prompt
    with Conversation(client=client, budget=expected.tokens) as chat, pytest.raises(BudgetExceeded):
        chat.send(question)
    assert refused
    with Conversation(client=client, budget=expected.upper) as chat:
        chat.send(question)
    assert len(wire.seen) == 1


def test_a_client_without_what_it_needs_is_access_denied(path: Path, http: httpx2.Client) -> None:
    """The SDK's own refusals come as AccessDenied, and the turn waits."""

    class NoToken(anthropic.Anthropic):
        def _prepare_options(self, options: Any) -> Any:  # noqa: ARG002 - the SDK's signature
            raise anthropic.AnthropicError("Could not resolve an access token")

    with Conversation(path, client=NoToken(api_key="k", http_client=http)) as chat:
        with pytest.raises(AccessDenied, match="access token"):
            chat.send("One.")
        assert [turn.state for turn in chat.history()] == ["pending"]


def test_an_answer_that_is_no_json_is_unavailable(wire: Wire, http: httpx2.Client) -> None:
    """A proxy's page with status 200 is no reply; the turn waits."""
    wire.answers.append(httpx2.Response(200, text="<html>", headers={"content-type": "application/json"}))
    with Conversation(client=anthropic.Anthropic(api_key="k", http_client=http, max_retries=0)) as chat:
        with pytest.raises(Unavailable):
            chat.send("One.")
        assert [turn.state for turn in chat.history()] == ["pending"]
        chat.retry()


def test_the_sdks_own_retries_are_left_to_it(wire: Wire, http: httpx2.Client) -> None:
    """One send is one turn and one request of ours, however often the SDK knocked."""
    wire.answers += [httpx2.Response(529, json={}, headers={"retry-after-ms": "1"}) for _ in range(2)]
    with Conversation(client=anthropic.Anthropic(api_key="k", http_client=http, max_retries=2)) as chat:
        reply = chat.send("One.")
        assert reply.number == 1
    assert len(wire.seen) == 3


def test_extra_headers_and_timeouts_reach_the_call(wire: Wire, http: httpx2.Client) -> None:
    """Options of the call are the call's."""
    with Conversation(client=anthropic.Anthropic(api_key="k", http_client=http)) as chat:
        chat.send("One.", extra_headers={"x-trace": "7"}, timeout=3.5)
        chat.regenerate(timeout=4.5)
        chat.edit(chat.history()[0], "Two.", timeout=5.5)
    assert wire.seen[0].headers["x-trace"] == "7"
    assert [seen.extensions["timeout"]["read"] for seen in wire.seen] == [3.5, 4.5, 5.5]


def test_what_is_no_client_is_refused(path: Path) -> None:
    """InvalidOption names what would do, before there is a file."""
    with pytest.raises(InvalidOption, match="simulator"):
        Conversation(path, client="simulatr")
    assert not path.exists()
