"""Faults on script, as the unmodified SDK sees them."""

from __future__ import annotations

import time
from typing import Any

import anthropic
import httpx2
import pytest

from sash.errors import InvalidOption
from sash.simulator import (
    BillingError,
    ConnectionLost,
    CutStream,
    Overloaded,
    PromptTooLong,
    RateLimited,
    Refusal,
    ServerError,
    Simulator,
    SpendLimitReached,
    Stopped,
    Timeout,
)

from .samples import body, long, post, text, user

SENT: Any = body(user("Hello there."))

ERRORS = [
    (RateLimited(retry_after=7), anthropic.RateLimitError, 429, "rate_limit_error"),
    (SpendLimitReached(), anthropic.EnforcedSpendLimitReachedError, 429, "rate_limit_error"),
    (Overloaded(), anthropic.OverloadedError, 529, "overloaded_error"),
    (ServerError(), anthropic.InternalServerError, 500, "api_error"),
    (ServerError(status=503), anthropic.ServiceUnavailableError, 503, "api_error"),
    (PromptTooLong(), anthropic.BadRequestError, 400, "invalid_request_error"),
    (BillingError(), anthropic.PaymentRequiredError, 402, "billing_error"),
]


@pytest.mark.parametrize(
    ("fault", "error", "status", "kind"), ERRORS, ids=lambda value: getattr(value, "__name__", None)
)
def test_errors_arrive_as_the_sdk_knows_them(
    sim: Simulator, client: anthropic.Anthropic, fault: Any, error: type[Exception], status: int, kind: str
) -> None:
    """Each HTTP fault raises the SDK's own class, with type, request id and headers."""
    sim.fail_next(fault)
    with pytest.raises(error) as caught:
        client.messages.create(**SENT)
    found: Any = caught.value
    assert (found.status_code, found.type) == (status, kind)
    assert found.request_id == sim.log[-1].request_id
    assert found.response.headers.get("retry-after") == ("7" if isinstance(fault, RateLimited) else None)
    assert client.messages.create(**SENT).stop_reason == "end_turn"


def test_silence_and_lost_connections(sim: Simulator, client: anthropic.Anthropic) -> None:
    """A timeout and a lost connection are the SDK's own errors; nothing is billed."""
    sim.fail_next(Timeout())
    with pytest.raises(anthropic.APITimeoutError):
        client.with_options(timeout=0.2).messages.create(**SENT)
    while not sim.log:  # a busy server may still have to read what its client gave up
        time.sleep(0.01)
    sim.fail_next(ConnectionLost())
    with pytest.raises(anthropic.APIConnectionError):
        client.messages.create(**SENT)
    assert sim.cost == 0 and [attempt.status for attempt in sim.log] == [None, None]


def test_a_timeout_may_be_billed(sim: Simulator, client: anthropic.Anthropic) -> None:
    """A request whose answer got lost can have been worked on: it costs, and its cache entry is there."""
    sent: Any = body(user(text(long(), "5m")))
    sim.fail_next(ConnectionLost(billed=True))
    with pytest.raises(anthropic.APIConnectionError):
        client.messages.create(**sent)
    assert sim.cost > 0
    assert client.messages.create(**sent).usage.cache_read_input_tokens


def test_streams_that_end_early(sim: Simulator, client: anthropic.Anthropic) -> None:
    """Cut silently the final message has no stop reason; with an error event, or a lost connection, it raises."""
    sim.fail_next(CutStream(events=7))
    with client.messages.stream(**SENT) as stream:
        assert stream.get_final_message().stop_reason is None
    sim.fail_next(CutStream(events=7, how="error"))
    with pytest.raises(anthropic.APIStatusError) as caught, client.messages.stream(**SENT) as stream:
        stream.until_done()
    assert (caught.value.status_code, caught.value.type) == (200, "overloaded_error")
    sim.fail_next(CutStream(events=7, how="lost"))
    with pytest.raises(httpx2.RemoteProtocolError), client.messages.stream(**SENT) as stream:
        stream.until_done()
    sim.fail_next(CutStream(events=0))
    with client.messages.create(**SENT, stream=True) as events:
        assert list(events) == []


def test_refusals_are_200(sim: Simulator, client: anthropic.Anthropic) -> None:
    """A refusal is a reply with a reason, streamed or not; whether it is billed is a switch."""
    for send in (client.messages.create, lambda **sent: _streamed(client, sent)):
        sim.fail_next(Refusal(partial="I can", category="cyber"))
        reply = send(**SENT)
        assert (reply.stop_reason, reply.content[0].text) == ("refusal", "I can")  # type: ignore[union-attr]
        assert reply.stop_details is not None and reply.stop_details.category == "cyber"
    assert sim.cost > 0
    free = Simulator(bill_refusals=False)
    free.fail_next(Refusal())
    assert post(free, SENT)[1]["content"] == [] and free.cost == 0


def _streamed(client: anthropic.Anthropic, sent: Any) -> anthropic.types.Message:
    with client.messages.stream(**sent) as stream:
        return stream.get_final_message()


@pytest.mark.parametrize("reason", ["max_tokens", "model_context_window_exceeded"])
def test_replies_that_stop_early(sim: Simulator, reason: Any) -> None:
    """A stop on script cuts the reply to so many tokens."""
    sim.fail_next(Stopped(reason=reason, tokens=30))
    _, reply = post(sim, body(user("My parcel came in the rain. " * 30)))
    assert reply["stop_reason"] == reason and reply["usage"]["output_tokens"] <= 30


def test_paused_turns_go_on(sim: Simulator) -> None:
    """pause_turn ends in an open server tool call; sent back as it is, the conversation goes on."""
    sim.fail_next(Stopped(reason="pause_turn", tokens=100))
    _, reply = post(sim, SENT)
    assert reply["stop_reason"] == "pause_turn" and reply["content"][-1]["type"] == "server_tool_use"
    status, _ = post(sim, body(*SENT["messages"], {"role": "assistant", "content": reply["content"]}))
    assert status == 200


def test_faults_are_chosen_by_order_position_and_body(sim: Simulator) -> None:
    """By number, for the next ones, for bodies that fit, and for another endpoint."""
    sim.fail_at(2, ServerError())
    sim.fail_next(Overloaded(), times=2, when=lambda sent: sent["max_tokens"] == 7)
    statuses = [post(sim, body(max_tokens=most))[0] for most in (7, 200, 200, 7, 7)]
    assert statuses == [529, 500, 200, 529, 200]
    sim.fail_next(RateLimited(), path="/v1/messages/count_tokens")
    plain = {name: value for name, value in SENT.items() if name != "max_tokens"}
    assert post(sim, SENT)[0] == 200
    assert [post(sim, plain, path="/v1/messages/count_tokens")[0] for _ in range(2)] == [429, 200]


def test_storms_are_seeded_and_calm_down() -> None:
    """The same seed gives the same storm, of about the rate asked for; calm ends it."""

    def weather(seed: int) -> list[int]:
        sim = Simulator()
        sim.storm(0.3, [Overloaded(), ServerError()], seed=seed)
        found = [post(sim, SENT)[0] for _ in range(200)]
        sim.calm()
        assert [post(sim, SENT)[0] for _ in range(20)] == [200] * 20
        return found

    assert weather(1) == weather(1) != weather(2)
    assert 35 <= sum(status != 200 for status in weather(1)) <= 85
    assert {500, 529} < set(weather(1))


def test_nonsense_is_refused(sim: Simulator) -> None:
    """What is no fault, no count, or no share is an invalid option."""
    for attempt in (
        lambda: sim.fail_next("529"),  # type: ignore[arg-type]
        lambda: sim.fail_next(Overloaded(), times=0),
        lambda: sim.storm(1.5),
    ):
        with pytest.raises(InvalidOption):
            attempt()  # type: ignore[no-untyped-call]


def test_the_sdk_retries_what_it_should(sim: Simulator) -> None:
    """Two failures and a success are three attempts; `x-should-retry: false` ends it at once."""
    with sim.client(max_retries=2) as client:
        sim.fail_next(RateLimited(retry_after=0.001), times=2)
        assert client.messages.create(**SENT).stop_reason == "end_turn"
        assert [attempt.status for attempt in sim.log] == [429, 429, 200]
        sim.fail_next(Overloaded(should_retry=False), times=3)
        with pytest.raises(anthropic.OverloadedError):
            client.messages.create(**SENT)
        assert len(sim.log) == 4
