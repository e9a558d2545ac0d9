"""Message Batches: through the SDK, in process and over a socket; time, failures, prices, limits."""

from __future__ import annotations

import asyncio
from typing import Any

import anthropic
import pytest

from sash.simulator import BatchRules, HttpError, Limits, Overloaded, Reply, Simulator, Timeout

from .samples import MODEL, body, long, post, text, user

BATCHES = "/v1/messages/batches"
ITEMS = "/v1/messages/batches/items"


def items(*ids: str, **fields: Any) -> Any:
    """Requests of a batch, each with a question of its own."""
    return [{"custom_id": name, "params": body(user(f"Hello from {name}."), **fields)} for name in ids]


def results(client: anthropic.Anthropic, batch: str) -> dict[str, Any]:
    """The results of an ended batch, by custom id."""
    return {line.custom_id: line.result for line in client.messages.batches.results(batch)}


def test_a_batch_runs_by_the_clock(client: anthropic.Anthropic, sim: Simulator) -> None:
    """A batch is in progress until its time has come; then every item has its message under its own id."""
    made = client.messages.batches.create(requests=items("a", "b", "c"))
    assert (made.processing_status, made.request_counts.processing, made.results_url) == ("in_progress", 3, None)
    with pytest.raises(anthropic.AnthropicError):
        list(client.messages.batches.results(made.id))
    sim.clock.advance(60)
    ended = client.messages.batches.retrieve(made.id)
    assert (ended.processing_status, ended.request_counts.succeeded, ended.request_counts.processing) == ("ended", 3, 0)
    found = results(client, made.id)
    assert {name: result.message.content[-1].text for name, result in found.items()} == {
        name: f"Understood. You said: Hello from {name}." for name in "abc"
    }
    assert found["a"].message.usage.service_tier == "batch" and found["a"].message.model == MODEL


def test_a_batch_costs_half(sim: Simulator) -> None:
    """An item is billed at half the price of the same request sent by itself, cache writes included."""
    sent = body(user(text(long(), "1h")))
    sim.client().messages.create(**sent)
    single = sim.cost
    other = Simulator()
    other.client().messages.batches.create(requests=[{"custom_id": "a", "params": sent}])
    assert other.cost == 0
    other.clock.advance(60)
    assert other.cost == pytest.approx(single / 2)
    assert other.log[-1].path == ITEMS and other.log[-1].batch is not None and not other.messages


def test_items_share_the_cache(sim: Simulator) -> None:
    """Items with one marked prefix read what the first of them wrote."""
    shared = [text(long(), "1h")]
    sim.client().messages.batches.create(requests=items("a", "b", system=shared))
    sim.clock.advance(60)
    assert sim.cost > 0
    first, second = [attempt.usage for attempt in sim.log if attempt.path == ITEMS]
    assert first is not None and second is not None
    assert first.write_1h == second.read > 1_000


def test_items_fail_alone(client: anthropic.Anthropic, sim: Simulator) -> None:
    """An item that asks for what is not allowed is an errored result; the batch and the other items go on."""
    barred: list[dict[str, Any]] = [{"stream": True}, {"speed": "fast"}, {"thread": {"type": "create"}}]
    barred += [{"max_tokens": 0}, {"temperature": 1.0}, {"model": "claude-none-1"}]
    requests = items("fine") + [
        {"custom_id": f"bad-{at}", "params": body() | fields} for at, fields in enumerate(barred)
    ]
    made = client.messages.batches.create(requests=requests)
    sim.clock.advance(60)
    found = results(client, made.id)
    assert found.pop("fine").type == "succeeded"
    assert {result.type for result in found.values()} == {"errored"}
    assert found["bad-0"].error.error.type == "invalid_request_error"
    assert found["bad-5"].error.error.type == "not_found_error"
    assert client.messages.batches.retrieve(made.id).request_counts.errored == len(barred)


def test_faults_on_items(client: anthropic.Anthropic, sim: Simulator) -> None:
    """A fault planned for items makes an errored result; it is not billed."""
    sim.fail_next(Overloaded(), path=ITEMS, when=lambda sent: "from b" in str(sent))
    sim.fail_next(HttpError(status=500, message="Oh."), path=ITEMS, when=lambda sent: "from c" in str(sent))
    made = client.messages.batches.create(requests=items("a", "b", "c"))
    sim.clock.advance(60)
    found = results(client, made.id)
    assert [found[name].type for name in "abc"] == ["succeeded", "errored", "errored"]
    assert found["b"].error.error.type == "overloaded_error" and found["c"].error.error.type == "api_error"
    assert sum(attempt.cost > 0 for attempt in sim.log) == 1


def test_expiry() -> None:
    """What has not been reached within 24 hours expires and costs nothing."""
    sim = Simulator(batch_rules=BatchRules(begins_after=3_600, seconds_per_request=20 * 3_600))
    client = sim.client()
    made = client.messages.batches.create(requests=items("a", "b", "c"))
    sim.clock.advance(24 * 3_600 - 1)
    assert client.messages.batches.retrieve(made.id).processing_status == "in_progress"
    sim.clock.advance(1)
    counts = client.messages.batches.retrieve(made.id).request_counts
    assert (counts.succeeded, counts.expired) == (2, 1)
    assert results(client, made.id)["c"].type == "expired"
    assert sum(attempt.cost > 0 for attempt in sim.log) == 2


def test_cancelling() -> None:
    """A cancelled batch is `canceling`, then ended; what was not done yet is `canceled`; asking twice is harmless."""
    sim = Simulator(batch_rules=BatchRules(begins_after=5, seconds_per_request=600))
    client = sim.client()
    made = client.messages.batches.create(requests=items("a", "b"))
    sim.clock.advance(6)
    assert client.messages.batches.cancel(made.id).processing_status == "canceling"
    assert client.messages.batches.cancel(made.id).cancel_initiated_at is not None
    sim.clock.advance(10)
    assert {name: result.type for name, result in results(client, made.id).items()} == {
        "a": "succeeded",
        "b": "canceled",
    }
    with pytest.raises(anthropic.BadRequestError):
        client.messages.batches.cancel(made.id)


def test_listing_and_deleting(client: anthropic.Anthropic, sim: Simulator) -> None:
    """Batches are listed newest first, page by page; one can be deleted when it has ended, not before."""
    made = [client.messages.batches.create(requests=items("a")).id for _ in range(5)]
    assert [batch.id for batch in client.messages.batches.list(limit=2)] == made[::-1]
    assert [batch.id for batch in client.messages.batches.list(before_id=made[3], limit=1).data] == [made[4]]
    with pytest.raises(anthropic.BadRequestError):
        client.messages.batches.delete(made[0])
    sim.clock.advance(60)
    assert client.messages.batches.delete(made[0]).type == "message_batch_deleted"
    with pytest.raises(anthropic.NotFoundError):
        client.messages.batches.retrieve(made[0])


def test_results_are_kept_for_29_days(client: anthropic.Anthropic, sim: Simulator) -> None:
    """After 29 days a batch is archived: it is still there, its results are not."""
    made = client.messages.batches.create(requests=items("a"))
    sim.clock.advance(60 + 29 * 24 * 3_600)
    found = client.messages.batches.retrieve(made.id)
    assert found.archived_at is not None and found.results_url is None
    with pytest.raises(anthropic.AnthropicError):
        client.messages.batches.results(made.id)


@pytest.mark.parametrize(
    "requests",
    [
        [],
        "no list",
        [{"custom_id": "a"}],
        [{"custom_id": "with space", "params": body()}],
        [{"custom_id": "a" * 65, "params": body()}],
        [{"custom_id": "", "params": body()}],
        [{"custom_id": "a", "params": body()}, {"custom_id": "a", "params": body()}],
        [{"custom_id": "a", "params": body(), "more": 1}],
    ],
)
def test_malformed_batches(sim: Simulator, requests: Any) -> None:
    """A batch is refused whole for its own form: ids that break the pattern or repeat, no requests, other fields."""
    status, answer = post(sim, {"requests": requests}, path=BATCHES)
    assert (status, answer["error"]["type"]) == (400, "invalid_request_error")


def test_workspaces() -> None:
    """A batch belongs to the workspace of its key; no other one sees it."""
    sim = Simulator(keys={"one": "wrkspc_1", "two": "wrkspc_2"})
    one, two = sim.client(api_key="one"), sim.client(api_key="two")
    made = one.messages.batches.create(requests=items("a"))
    assert not list(two.messages.batches.list())
    with pytest.raises(anthropic.NotFoundError):
        two.messages.batches.retrieve(made.id)


def test_limits() -> None:
    """Batch calls have a limit of their own, and so has what waits; items draw nothing from the other pools."""
    sim = Simulator(limits=Limits(requests=1, input_tokens=10, output_tokens=10, batches=3, queued=3))
    client = sim.client(max_retries=0)
    client.messages.batches.create(requests=items("a", "b"))
    with pytest.raises(anthropic.RateLimitError, match="queued"):
        client.messages.batches.create(requests=items("a", "b"))
    client.messages.batches.list()
    client.messages.batches.list()
    with pytest.raises(anthropic.RateLimitError, match="requests"):
        client.messages.batches.list()
    sim.clock.advance(60)
    assert sim.cost > 0


def test_an_answer_that_is_lost(sim: Simulator) -> None:
    """A create whose answer never arrives may have made the batch all the same: listing shows it."""
    sim.fail_next(Timeout(billed=True), path=BATCHES)
    client = sim.client(max_retries=0)
    with pytest.raises(anthropic.APITimeoutError):
        client.messages.batches.create(requests=items("a"))
    assert len(list(client.messages.batches.list())) == 1


def test_thinking_bound_elsewhere_is_dropped_in_batches(sim: Simulator) -> None:
    """An item whose thinking belongs to another conversation runs without it, unless it asks for an error."""
    first = body(user("One."))
    _, reply = post(sim, first)
    assert reply["content"][0]["type"] == "thinking"
    edited = body(user("Two."), {"role": "assistant", "content": reply["content"]}, user("Three."))
    assert post(sim, edited)[0] == 400
    client = sim.client()
    made = client.messages.batches.create(requests=[{"custom_id": "a", "params": edited}])
    sim.clock.advance(60)
    assert results(client, made.id)["a"].type == "succeeded"


def test_batches_async_and_scripted(sim: Simulator) -> None:
    """Scripted replies answer items in the order of the batch, and the asynchronous client reads the same results."""

    async def run() -> dict[str, str]:
        async with sim.async_client() as client:
            made = await client.messages.batches.create(requests=items("a", "b"))
            sim.clock.advance(60)
            return {
                line.custom_id: line.result.message.content[-1].text
                async for line in await client.messages.batches.results(made.id)
            }

    sim.script([Reply(content="first", thinking=""), Reply(content="second", thinking="")])
    assert asyncio.run(run()) == {"a": "first", "b": "second"}
