"""Cassettes and latency: what the real API said is kept without secrets, given again, and replies take their time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anthropic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sash.errors import InvalidOption
from sash.simulator import Cassette, Latency, Reply, Simulator
from sash.simulator.cassettes import redacted_events
from sash.simulator.relay import Relay
from sash.simulator.server import Serving
from sash.simulator.wire import stream_events

from .samples import MODEL, body, long, post, text, user

KEY = "sk-ant-api03-abcdefghijklmnopqrstuvwxyz"
OTHER = "ghp_abcdefghijklmnopqrstuvwxyz0123456789"


@contextmanager
def recording(path: Path, real: Simulator) -> Iterator[anthropic.Anthropic]:
    """The SDK on a relay before a simulator that plays the real API and wants its key."""
    with real.serve() as url:
        relay = Relay(Cassette(path), url)
        with Serving(relay, real.clock) as near, anthropic.Anthropic(base_url=near, api_key=KEY, max_retries=0) as sdk:
            yield sdk
        relay.close()


def ask(sdk: anthropic.Anthropic, words: str, *, stream: bool = False) -> Any:
    """A reply as it is sent back, streamed or not."""
    sent: dict[str, Any] = {
        "model": MODEL,
        "max_tokens": 200,
        "metadata": {"user_id": "ann"},
        "messages": [{"role": "user", "content": words}],
    }
    if not stream:
        return sdk.messages.create(**sent).to_dict()
    with sdk.messages.stream(**sent) as events:
        return events.get_final_message().to_dict()


def test_what_was_recorded_is_answered_again_and_the_rest_simulated(tmp_path: Path) -> None:
    """Replies, streams and refusals come again as they were, in order, without key or network; others are made."""
    path, real = tmp_path / "c.jsonl", Simulator(keys=[KEY])
    real.script(["One.", "Two.", f"Your key is {KEY}, mine {OTHER}.", Reply(content="Four.")])
    with recording(path, real) as sdk:
        first, second = ask(sdk, "Hello."), ask(sdk, "Hello.")
        told = ask(sdk, f"Use {OTHER}.", stream=True)
        with pytest.raises(anthropic.NotFoundError) as refused:
            sdk.messages.create(model="claude-none", max_tokens=5, messages=[{"role": "user", "content": "x"}])
    assert KEY in json.dumps(told) and oct(path.stat().st_mode & 0o777) == "0o600"
    kept = path.read_text()
    assert KEY not in kept and OTHER not in kept and "authorization" not in kept.lower()
    sim = Simulator(cassette=path)
    with sim.client(max_retries=0, api_key="another") as again:
        assert [ask(again, "Hello.") for _ in range(3)] == [first, second, second]
        replayed = ask(again, f"Use {OTHER}.", stream=True)
        assert replayed["usage"] == told["usage"]
        assert replayed["content"][-1]["text"] == "Your key is REDACTED, mine REDACTED."
        with pytest.raises(anthropic.NotFoundError, match=refused.value.api_message or "none"):
            again.messages.create(model="claude-none", max_tokens=5, messages=[{"role": "user", "content": "x"}])
        assert ask(again, "What else?")["content"][-1]["text"].startswith("I don't know")
    assert [attempt.replayed for attempt in sim.log] == [True] * 5 + [False]
    assert [a.cost for a in sim.log[:4]] == pytest.approx([a.cost for a in [*real.log[:2], real.log[1], real.log[2]]])


def test_a_relay_without_the_api_says_so(tmp_path: Path) -> None:
    """Where the API cannot be reached the caller is told, and nothing is recorded."""
    relay = Relay(Cassette(tmp_path / "c.jsonl"), "http://127.0.0.1:9")
    status, told = post(relay, body())
    assert status == 502 and "cannot be reached" in told["error"]["message"]
    assert not (tmp_path / "c.jsonl").exists()


@given(st.text("ab c.", max_size=30), st.text("ab c.", max_size=30), st.integers(1, 40))
def test_no_secret_survives_between_two_deltas(before: str, after: str, split: int) -> None:
    """However a stream is cut into deltas, a key in its text is not in what is kept, and the rest is."""
    block = {"type": "text", "text": f"{before} {KEY} {after}"}
    events = list(stream_events({"content": [block], "usage": {"output_tokens": 1}} | dict.fromkeys(STOPS), {}))
    deltas = [
        {"type": "text_delta", "text": block["text"][at : at + split]} for at in range(0, len(block["text"]), split)
    ]
    made = [e for e in events if e["type"] != "content_block_delta"]
    made[2:2] = [{"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas]
    texts = [e["delta"]["text"] for e in redacted_events(made) if e["type"] == "content_block_delta"]
    assert "".join(texts) == f"{before} REDACTED {after}"


STOPS = ("stop_reason", "stop_sequence", "stop_details")


@pytest.mark.parametrize(
    "content", ["nonsense", '{"sash_cassette": 2}', '{"sash_cassette": 1}\n{"status": 200}', '{"sash_cassette": 1}\n[]']
)
def test_what_is_no_cassette_is_refused(tmp_path: Path, content: str) -> None:
    """A file that is no cassette is refused by its name before anything is answered or written."""
    (tmp_path / "c.jsonl").write_text(content)
    with pytest.raises(InvalidOption, match=r"c\.jsonl"):
        Simulator(cassette=tmp_path / "c.jsonl")
    assert (tmp_path / "c.jsonl").read_text() == content


def test_replies_take_as_long_as_their_model_and_prompt() -> None:
    """With real latency a reply begins sooner behind a cached prompt, and a small model is done before a large one."""
    seconds = []
    for model, times in (("claude-haiku-5-5", 1), ("claude-opus-5-5", 2)):
        sim = Simulator(latency="real", thinking=False)
        with sim.client() as sdk:
            for _ in range(times):
                before = sim.clock.now()
                told = body(user(text(long(9_000), "5m")), model=model)
                sdk.messages.create(**told)
                seconds.append(sim.clock.now() - before)
    assert seconds[0] < seconds[2] < seconds[1]
    sim = Simulator(latency=Latency(first=2, writing=10), thinking=False)
    before = sim.clock.now()
    with sim.client() as sdk:
        reply = sdk.messages.create(**body())
    assert sim.clock.now() - before == pytest.approx(2 + reply.usage.output_tokens / 10)


@pytest.mark.parametrize("wrong", ["fast", 3, {"first": 1}])
def test_a_latency_that_is_none_is_refused(wrong: Any) -> None:
    """A pace is "real" or a Latency; whatever else is named with the remedy."""
    with pytest.raises(InvalidOption, match="latency"):
        Simulator(latency=wrong)
    with pytest.raises(InvalidOption, match="more than 0"):
        Latency(writing=-1)
