"""The unmodified SDK against the simulator, in process and over a socket."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import anthropic
import httpx2
import pytest

from sash import simulator
from sash.simulator import Clock, Reply, Simulator

from .samples import MODEL, OLD, TOOL, assistant, body, call, long, result, text, user

SENT: Any = body(user("Hello there."))
FULL: Any = [
    {"type": "thinking", "thinking": "I should look."},
    text("Let me see. " * 5),
    call("toolu_a", order=7, note="naïve “quotes” 中文 \U0001f600"),
    call("toolu_b", "refund"),
]


def test_messages(client: anthropic.Anthropic, sim: Simulator) -> None:
    """A reply parses with usage, ids and stop reason."""
    reply = client.messages.create(**SENT)
    assert reply.role == "assistant" and reply.model == MODEL and reply.stop_reason == "end_turn"
    assert reply.content[-1].text == "Understood. You said: Hello there."
    assert reply.usage.input_tokens == sim.count(SENT)
    assert reply._request_id == sim.log[-1].request_id and reply.id == sim.log[-1].message_id
    assert reply._workspace_id == sim.workspace


def test_streams_say_the_same_as_messages(client: anthropic.Anthropic, sim: Simulator) -> None:
    """Text, tool use and thinking arrive in a stream as they do at once."""
    sent: Any = body(user("Go."), tools=[TOOL], thinking={"type": "adaptive", "display": "summarized"})
    sim.script([FULL, FULL])
    whole = client.messages.create(**sent)
    with client.messages.stream(**sent) as stream:
        final = stream.get_final_message()
    assert [block.to_dict() for block in final.content] == [block.to_dict() for block in whole.content]
    assert (final.stop_reason, final.usage.to_dict()) == ("tool_use", whole.usage.to_dict())


def test_raw_events_come_in_order(client: anthropic.Anthropic, sim: Simulator) -> None:
    """message_start, blocks with deltas and a stop each, message_delta, message_stop; the signature comes last."""
    sim.script([FULL])
    with client.messages.create(**body(tools=[TOOL]), stream=True) as events:
        seen = list(events)
    kinds = [event.type for event in seen]
    assert kinds[0] == "message_start" and kinds[-2:] == ["message_delta", "message_stop"]
    assert kinds.count("content_block_start") == kinds.count("content_block_stop") == 4
    first = [event.delta.type for event in seen if event.type == "content_block_delta" and event.index == 0]
    assert first == ["signature_delta"]
    fragments = [event.delta for event in seen if event.type == "content_block_delta" and event.index == 2]
    assert fragments[0].partial_json == ""
    assert json.loads("".join(part.partial_json for part in fragments)) == FULL[2]["input"]


def test_text_streams(client: anthropic.Anthropic) -> None:
    """`text_stream` yields the reply in several pieces."""
    with client.messages.stream(**body(user("I would like to tell you of a long and winding road."))) as stream:
        pieces = list(stream.text_stream)
    assert len(pieces) > 2 and "".join(pieces).endswith("winding road.")


def test_count_tokens_is_what_is_billed(client: anthropic.Anthropic) -> None:
    """count_tokens and the usage of the same request agree, cached or not."""
    sent: Any = body(
        user(text(long(), "5m"), "Where is it?"), assistant(call()), user(result()), system="Be kind.", tools=[TOOL]
    )
    plain = {name: value for name, value in sent.items() if name != "max_tokens"}
    counted = client.messages.count_tokens(**plain).input_tokens
    for _ in range(2):
        usage = client.messages.create(**sent).usage
        read, written = usage.cache_read_input_tokens or 0, usage.cache_creation_input_tokens or 0
        assert usage.input_tokens + read + written == counted
    assert read > 0
    assert client.beta.messages.count_tokens(**plain).input_tokens == counted


def test_count_error_is_small_and_steady() -> None:
    """As an estimate, count_tokens is off by at most the share asked for, always the same for the same prompt."""
    exact, rough = Simulator(), Simulator(count_error=0.05)
    off = []
    with exact.client() as one, rough.client() as two:
        for number in range(30):
            messages: Any = [user(f"{long(50)} {number}")]
            right = one.messages.count_tokens(model=MODEL, messages=messages).input_tokens
            found = [two.messages.count_tokens(model=MODEL, messages=messages).input_tokens for _ in range(2)]
            assert found[0] == found[1] and abs(found[0] / right - 1) <= 0.06
            off.append(found[0] != right)
    assert sum(off) > 20


def test_models(client: anthropic.Anthropic) -> None:
    """The catalogue lists in pages, describes a model, and knows no other."""
    listed = list(client.models.list(limit=4))
    assert len(listed) > 15 and len({model.id for model in listed}) == len(listed)
    found = client.models.retrieve("claude-opus-5-5")
    assert (found.display_name, found.max_input_tokens, found.lifecycle) == ("Claude Opus 5.5", 1_000_000, "active")
    assert found.capabilities is not None and found.capabilities.thinking.types.adaptive.supported
    assert client.beta.models.retrieve("claude-haiku-4-5-20251001").id == "claude-haiku-4-5-20251001"
    for attempt in (
        lambda: client.models.retrieve("claude-nobody"),
        lambda: client.messages.create(**{**SENT, "model": "claude-sonet-4-5"}),
        lambda: client.messages.count_tokens(model="claude-sonet-4-5", messages=[user("x")]),  # type: ignore[list-item]
    ):
        with pytest.raises(anthropic.NotFoundError) as caught:
            attempt()
        assert caught.value.api_message is not None and caught.value.api_message.startswith("model: claude-")


def test_unknown_paths_are_404(client: anthropic.Anthropic) -> None:
    """An endpoint that is not simulated says so."""
    with pytest.raises(anthropic.NotFoundError):
        client.skills.list()


def test_beta_requests(client: anthropic.Anthropic, sim: Simulator) -> None:
    """Beta headers reach the log; context management clears, and says what it cleared."""
    exchange = [user("Order 1?"), assistant(call("a")), user(result("a", "far " * 200)), assistant("Far."),
                user("Order 2?"), assistant(call("b")), user(result("b", "near " * 200))]  # fmt: skip
    edit: Any = {"type": "clear_tool_uses_20250919", "trigger": {"type": "input_tokens", "value": 300},
                 "keep": {"type": "tool_uses", "value": 1}}  # fmt: skip
    sent: Any = body(*exchange, tools=[TOOL])
    managed: Any = {"context_management": {"edits": [edit]}, "betas": ["context-management-2025-06-27"]}
    reply = client.beta.messages.create(**sent, **managed)
    assert sim.log[-1].betas == ("context-management-2025-06-27",)
    assert reply.context_management is not None
    cleared: Any = reply.context_management.applied_edits[0]
    assert cleared.cleared_tool_uses == 1 and cleared.cleared_input_tokens > 150
    assert reply.usage.input_tokens + cleared.cleared_input_tokens == sim.count(sent)
    plain = {name: value for name, value in sent.items() if name != "max_tokens"}
    counted = client.beta.messages.count_tokens(**plain, **managed)
    assert counted.input_tokens == reply.usage.input_tokens
    assert counted.context_management is not None
    assert counted.context_management.original_input_tokens == sim.count(sent)
    with client.beta.messages.stream(**sent, **managed) as stream:
        final = stream.get_final_message()
    assert final.context_management is not None and len(final.context_management.applied_edits) == 1


def run(work: Callable[[anthropic.AsyncAnthropic], Awaitable[Any]], sim: Simulator, *, socket: bool) -> Any:
    """Run with an async client, in process or over a socket."""

    async def started() -> Any:
        if not socket:
            async with sim.async_client(max_retries=0) as client:
                return await work(client)
        with sim.serve() as url:
            async with anthropic.AsyncAnthropic(base_url=url, api_key="any", max_retries=0) as client:
                return await work(client)

    return asyncio.run(started())


@pytest.mark.parametrize("socket", [False, True], ids=["in process", "over a socket"])
def test_async(sim: Simulator, socket: bool) -> None:
    """The async client: messages, streams, counts, models, and faults."""

    async def work(client: anthropic.AsyncAnthropic) -> None:
        whole = await client.messages.create(**SENT)
        async with client.messages.stream(**SENT) as stream:
            pieces = [piece async for piece in stream.text_stream]
            final = await stream.get_final_message()
        assert "".join(pieces) == whole.content[-1].text == final.content[-1].text  # type: ignore[union-attr]
        counted = await client.messages.count_tokens(model=MODEL, messages=SENT["messages"])
        assert counted.input_tokens == whole.usage.input_tokens
        assert [model.id async for model in client.models.list()]
        sim.fail_next(simulator.CutStream(how="lost"))
        with pytest.raises(httpx2.RemoteProtocolError):
            async with client.messages.stream(**SENT) as stream:
                await stream.until_done()
        sim.fail_next(simulator.Timeout())
        with pytest.raises(anthropic.APITimeoutError):
            await client.with_options(timeout=0.2).messages.create(**SENT)

    run(work, sim, socket=socket)


def test_many_at_once(sim: Simulator) -> None:
    """Twenty concurrent async requests over a socket are all answered and logged, each with its own id."""

    async def work(client: anthropic.AsyncAnthropic) -> list[str]:
        return [reply.id for reply in await asyncio.gather(*(client.messages.create(**SENT) for _ in range(20)))]

    assert len(set(run(work, sim, socket=True))) == len(sim.log) == 20


def test_threads(sim: Simulator) -> None:
    """Requests from several threads leave a whole log, and a cost that is its sum."""
    with sim.client(max_retries=0) as client:
        threads = [threading.Thread(target=lambda: client.messages.create(**SENT)) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(attempt.number for attempt in sim.log) == list(range(1, 17))
    assert sim.cost == pytest.approx(16 * sim.log[0].cost)


def test_prefixes_are_read_only_after_the_first_event(sim: Simulator) -> None:
    """Streams opened side by side on a cold prefix all write; once the first event of one was read, others read."""
    sent: Any = body(user(text(long(), "5m")))
    with sim.client(max_retries=0) as client:
        one, two = (client.messages.create(**sent, stream=True) for _ in range(2))
        starts = [next(iter(stream)) for stream in (one, two)]
        three = client.messages.create(**sent, stream=True)
        starts.append(next(iter(three)))
        for stream in (one, two, three):
            stream.close()
    reads = [start.message.usage.cache_read_input_tokens for start in starts]
    assert reads[0] == reads[1] == 0 and (reads[2] or 0) > 0


def test_time_passes_with_the_reply() -> None:
    """A slow reply turns the clock: a four-minute reply leaves one minute of what it wrote."""
    sent: Any = body(user(text(long(), "5m")))
    for later, warm in ((59, True), (61, False)):
        sim = Simulator(first_event_after=2)
        sim.script([Reply(content="At last.", seconds=238)])
        with sim.client() as client:
            started = sim.clock.now()
            with client.messages.stream(**sent) as stream:
                stream.until_done()
            assert sim.clock.now() - started == pytest.approx(240)
            sim.clock.advance(later)
            assert bool(client.messages.create(**sent).usage.cache_read_input_tokens) == warm


def test_wall_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """On the wall clock replies take real time, and the clock can still be turned."""
    computer = [1_000.0]
    monkeypatch.setattr("sash.simulator.clock.time.time", lambda: computer[0])
    monkeypatch.setattr("sash.simulator.clock.time.sleep", lambda pause: computer.append(computer.pop() + pause))
    clock = Clock(wall=True)
    with Simulator(clock=clock, first_event_after=0.5).client() as client:
        client.messages.create(**SENT)
    assert clock.now() == computer[0] == pytest.approx(1_000.5)
    clock.advance(3_600)
    assert clock.now() == pytest.approx(4_600.5)


def test_module_level_clients() -> None:
    """`client` and `async_client` come with a simulator of their own and pass the SDK's options on."""
    with simulator.client(max_retries=5, default_headers={"x-team": "sash"}) as client:
        assert client.max_retries == 5
        assert client.messages.create(**SENT).stop_reason == "end_turn"

    async def work() -> str | None:
        async with simulator.async_client() as client:
            return (await client.messages.create(**SENT)).stop_reason  # type: ignore[no-any-return]

    assert asyncio.run(work()) == "end_turn"


def test_servers_close_cleanly(sim: Simulator) -> None:
    """A closed server answers no more, even while a client waits in vain; closing twice does nothing."""
    before = set(threading.enumerate())
    serving = sim.serve()
    sim.fail_next(simulator.Timeout())
    failures: list[Exception] = []

    def wait() -> None:
        with anthropic.Anthropic(base_url=serving.url, api_key="any", max_retries=0) as client:
            try:
                client.messages.create(**SENT)
            except anthropic.APIConnectionError as error:
                failures.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    while not sim.log:
        thread.join(0.005)
    serving.close()
    serving.close()
    thread.join()
    assert failures and set(threading.enumerate()) <= before


def test_raw_http() -> None:
    """Without any SDK: chunked bodies are read, errors have their shape, the version header is asked for."""
    with Simulator().serve() as url, httpx2.Client(base_url=url) as http:
        chunks = iter([json.dumps(SENT).encode()[:10], json.dumps(SENT).encode()[10:]])
        version = {"anthropic-version": "2026-10-21"}
        assert http.post("/v1/messages", content=chunks, headers=version).json()["type"] == "message"
        error = http.post("/v1/messages", content=b"{", headers=version)
        assert error.status_code == 400
        assert set(error.json()) == {"type", "error", "request_id"}
        assert error.json()["request_id"] == error.headers["request-id"]
        assert "anthropic-version" in http.post("/v1/messages", json=SENT).json()["error"]["message"]


def test_keys_and_workspaces() -> None:
    """Where keys are given, others are refused; each key's workspace has a cache of its own; keys can be revoked."""
    sim = Simulator(keys={"key-a": "wrkspc_a", "key-b": "wrkspc_b"})
    sent: Any = body(user(text(long(), "5m")))
    with sim.client(api_key="key-a") as a, sim.client(api_key="key-b") as b, sim.client(api_key="c") as c:
        assert a.messages.create(**sent)._workspace_id == "wrkspc_a"
        assert b.messages.create(**sent).usage.cache_read_input_tokens == 0
        assert a.messages.create(**sent).usage.cache_read_input_tokens
        with pytest.raises(anthropic.AuthenticationError):
            c.messages.create(**sent)
        sim.revoke("key-a")
        with pytest.raises(anthropic.AuthenticationError) as caught:
            a.messages.create(**sent)
        assert caught.value.type == "authentication_error"
    assert not any("authorization" in attempt.headers for attempt in sim.log)


def test_old_models_prefill(sim: Simulator) -> None:
    """Where prefill is allowed the reply goes on without thinking."""
    with sim.client() as client:
        sent: Any = body(user("Hello."), assistant("Well"), model=OLD)
        assert [block.type for block in client.messages.create(**sent).content] == ["text"]
