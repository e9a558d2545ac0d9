"""Server threads: the SDK's own threads and tool runners, and what a thread refuses."""

from __future__ import annotations

from typing import Any

import anthropic
import httpx2
import pytest
from anthropic import beta_tool

from sash.simulator import ConnectionLost, CutStream, Refusal, Simulator

from .samples import MODEL, TOOL, body, long, post, result, text, user

BETA = "message-threads-2026-08-12"


def threaded(
    sim: Simulator, previous: str | None = None, *messages: dict[str, Any], **fields: Any
) -> tuple[int, dict[str, Any]]:
    """A request that begins a thread, or goes on from a reply."""
    thread = {"type": "create"} if previous is None else {"type": "continue", "previous_message_id": previous}
    return post(sim, body(*messages, thread=thread, **fields), betas=BETA)


def code(answer: tuple[int, dict[str, Any]]) -> str:
    """The error code of a refusal."""
    return str(answer[1]["error"]["details"]["error_code"])


def test_the_sdks_threads_run(client: anthropic.Anthropic, sim: Simulator) -> None:
    """A thread remembers what its requests do not repeat, system and tools included, streamed or not."""
    thread = client.beta.messages.thread(model=MODEL, max_tokens=200, system="You keep a harbour.")
    thread.send({"role": "user", "content": "The crate is number 4711."})
    with thread.stream({"role": "user", "content": "Fine."}) as stream:
        stream.until_done()
    told = thread.send({"role": "user", "content": "What number is the crate?"})
    assert "4711" in str(told.content[-1])
    assert [len(one.body["messages"]) for one in sim.messages] == [1, 1, 1]
    assert ["system" in one.body for one in sim.messages] == [True, False, False]
    prompts = [one.usage.prompt for one in sim.messages if one.usage]
    assert prompts == sorted(prompts) and len(set(prompts)) == 3


@pytest.mark.parametrize("stream", [False, True])
def test_the_sdks_tool_runner_runs(client: anthropic.Anthropic, sim: Simulator, stream: bool) -> None:
    """The Python SDK's runner calls its function and comes to an end, each request continuing the one before."""

    @beta_tool
    def order_status(order: int) -> str:
        """Tells where an order is."""
        return f"Order {order} is on its way."

    runner = client.beta.messages.tool_runner(
        model=MODEL, max_tokens=300, tools=[order_status], stream=stream,
        messages=[{"role": "user", "content": "Please look at order_status for order 4711."}],
    )  # fmt: skip
    told = runner.until_done()
    assert "Order 4711 is on its way." in str(told.content[-1])
    assert [one.status for one in sim.messages] == [200, 200]
    assert [one.body["thread"]["type"] for one in sim.messages] == ["create", "continue"]
    assert "tools" not in sim.messages[-1].body


def test_a_thread_costs_what_the_whole_conversation_costs() -> None:
    """Caching and sizes are those of the conversation sent in full; what was marked before is read."""
    sim, plain = Simulator(thinking=False), Simulator(thinking=False)
    first, second = user(text(long(), "5m")), user(text("And now?", "5m"))
    _, told = threaded(sim, None, first, system=long(40))
    threaded(sim, told["id"], second)
    _, reply = post(plain, body(first, system=long(40)))
    post(plain, body(user(long()), {"role": "assistant", "content": reply["content"]}, second, system=long(40)))
    assert [one.usage for one in sim.messages] == [one.usage for one in plain.messages]


def test_what_a_thread_refuses() -> None:
    """Each refusal has the code by which the SDK knows what to do."""
    sim = Simulator()
    _, told = threaded(sim, system="Be kind.", tools=[TOOL])
    more = user("Go on.")
    assert post(sim, body(thread={"type": "create"}))[0] == 400
    assert threaded(sim, None, thread_ttl=5)[0] == 400
    assert post(sim, body(thread={"type": "renew"}), betas=BETA)[0] == 400
    assert code(threaded(sim, "msg_none", more)) == "thread_not_found"
    same: list[dict[str, Any]] = [{"model": "claude-opus-5-5"}, {"system": "Be rude."}, {"tools": []}]
    for field in same:
        assert code(threaded(sim, told["id"], more, **field)) == "thread_fingerprint_mismatch"
    apart: list[dict[str, Any]] = [{"cache_control": {"type": "ephemeral"}}, {"context_management": {"edits": [{}]}}]
    for field in apart:
        refused = threaded(sim, told["id"], more, **field)
        assert code(refused) == "thread_unsupported_request"
        assert refused[1]["error"]["details"]["unsupported"] == list(field)
    status, again = threaded(sim, told["id"], more)
    assert status == 200 and code(threaded(sim, told["id"], more)) == "thread_already_continued"
    sim.clock.advance(301)
    assert code(threaded(sim, again["id"], more)) == "thread_not_found"


def test_only_whole_replies_are_held() -> None:
    """A stream that broke, a connection that was lost and a refusal leave the thread where it was."""
    sim = Simulator()
    _, told = threaded(sim)
    more = user("Go on.")
    sim.fail_next(CutStream(events=3, how="lost"))
    with sim.client() as client, pytest.raises(httpx2.RemoteProtocolError):
        for _ in client.beta.messages.create(
            **body(more), stream=True, betas=[BETA], thread={"type": "continue", "previous_message_id": told["id"]}
        ):
            assert code(threaded(sim, told["id"], more)) == "thread_continue_in_flight"
    sim.fail_next(ConnectionLost())
    with pytest.raises(AssertionError):
        threaded(sim, told["id"], more)
    sim.fail_next(Refusal())
    assert threaded(sim, told["id"], more)[1]["stop_reason"] == "refusal"
    assert threaded(sim, told["id"], more)[0] == 200


def test_results_go_on_alone() -> None:
    """The results of calls are all that goes on from a reply that makes them, and results of no call are refused."""
    sim = Simulator()
    _, told = threaded(sim, None, user("Please do order_status for order 7."), tools=[TOOL])
    made = [block["id"] for block in told["content"] if block["type"] == "tool_use"]
    assert made and threaded(sim, told["id"], user(result("other")))[0] == 400
    assert threaded(sim, told["id"], user(*(result(call) for call in made)))[1]["stop_reason"] == "end_turn"
