"""Rate limits: buckets, headers, tiers."""

from __future__ import annotations

import anthropic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sash.errors import InvalidOption
from sash.simulator import Limits, Reply, Simulator
from sash.simulator.limits import Limiter, model_class, tier
from sash.simulator.wire import Answer, Call, dumps

from .samples import MODEL, body, long, post, text, user

SMALL = Limits(requests=3, input_tokens=10_000, output_tokens=1_000, counts=2)


def headers(sim: Simulator, sent: object) -> tuple[int, dict[str, str]]:
    """Status and headers of an answer."""
    named = {"anthropic-version": "2026-10-21"}
    answer = sim.handle(Call(method="POST", path="/v1/messages", headers=named, body=dumps(sent)))
    assert isinstance(answer, Answer)
    return answer.status, dict(answer.headers)


def test_requests_are_limited_and_refill() -> None:
    """The fourth request of a minute is refused, with the seconds after which it passes."""
    sim = Simulator(limits=SMALL)
    assert [post(sim, body())[0] for _ in range(4)] == [200, 200, 200, 429]
    status, named = headers(sim, body())
    assert (status, named["retry-after"]) == (429, "20")
    sim.clock.advance(19)
    assert post(sim, body())[0] == 429
    sim.clock.advance(1)
    assert post(sim, body())[0] == 200


def test_cache_reads_do_not_count() -> None:
    """Input counts fresh and written tokens only: a cached prompt can be sent again and again."""
    sim = Simulator(limits=Limits(requests=100, input_tokens=5_000, output_tokens=10_000))
    sent = body(user(text(long(1_000), "5m"), "Hello."))
    prompt = sim.count(sent)
    assert 2_500 < prompt < 5_000
    assert [post(sim, sent)[0] for _ in range(5)] == [200] * 5
    sim.cache.clear()
    status, error = post(sim, sent)
    assert status == 429 and "5,000 input tokens per minute" in error["error"]["message"]


def test_output_is_counted_as_made() -> None:
    """A long reply may overdraw the bucket; then nothing goes until it has refilled. max_tokens plays no part."""
    sim = Simulator(limits=Limits(requests=100, input_tokens=100_000, output_tokens=600))
    sim.script(lambda _: Reply(content="word " * 400))
    assert post(sim, body(max_tokens=100_000))[0] == 200
    status, named = headers(sim, body())
    used = sim.messages[0].usage
    assert used is not None and used.output > 600
    assert status == 429 and int(named["retry-after"]) == -(-(used.output - 599) // 10)


def test_headers_tell_limit_remaining_and_reset() -> None:
    """The real header names; remaining tokens are rounded to thousands."""
    sim = Simulator(limits="start")
    _, named = headers(sim, body())
    assert named["anthropic-ratelimit-requests-limit"] == "1000"
    assert named["anthropic-ratelimit-requests-remaining"] == "999"
    assert named["anthropic-ratelimit-input-tokens-limit"] == "2000000"
    assert named["anthropic-ratelimit-input-tokens-remaining"] == "2000000"
    assert named["anthropic-ratelimit-output-tokens-limit"] == "400000"
    assert named["anthropic-ratelimit-tokens-limit"] == "2400000"
    assert named["anthropic-ratelimit-requests-reset"] == "2026-11-21T00:00:01Z"
    assert not any(name.startswith("anthropic-ratelimit") for name in headers(Simulator(), body())[1])


def test_count_tokens_has_a_limit_of_its_own() -> None:
    """count_tokens draws from its own bucket of requests."""
    sim = Simulator(limits=SMALL)
    plain = {name: value for name, value in body().items() if name != "max_tokens"}
    assert [post(sim, plain, path="/v1/messages/count_tokens")[0] for _ in range(3)] == [200, 200, 429]
    assert post(sim, body())[0] == 200


def test_pools_are_per_model_class() -> None:
    """All Opus 4 share a pool, as all Fable 5 do; other models have their own."""
    assert model_class("claude-opus-4-5-20251101") == model_class("claude-opus-4-8") == "claude-opus-4"
    assert model_class("claude-fable-5-2") == model_class("claude-fable-5")
    assert model_class("claude-opus-5-5") != model_class("claude-opus-5")
    sim = Simulator(limits=Limits(requests=1, input_tokens=1_000, output_tokens=1_000))
    models = ("claude-opus-4-8", "claude-opus-4-7", "claude-opus-5")
    assert [post(sim, body(model=model))[0] for model in models] == [200, 429, 200]


def test_tiers() -> None:
    """The standard tiers; Fable's are smaller."""
    assert tier("build", "claude-opus-5") == Limits(
        requests=5_000, input_tokens=5_000_000, output_tokens=1_000_000, counts=4_000, batches=2_000, queued=300_000
    )
    assert tier("start", "claude-fable-5").input_tokens == 500_000
    with pytest.raises(InvalidOption):
        tier("gold", "claude-opus-5")  # type: ignore[arg-type]
    with pytest.raises(InvalidOption):
        Limits(requests=0, input_tokens=1, output_tokens=1)


@given(st.lists(st.tuples(st.floats(0, 30), st.integers(0, 9_000)), max_size=30))
def test_never_more_than_a_minutes_worth_and_the_refill(wanted: list[tuple[float, int]]) -> None:
    """Over any span, what passes is at most a full bucket and what refilled meanwhile; waiting as told suffices."""
    limiter, now, passed = Limiter(SMALL), 0.0, 0
    for gap, tokens in wanted:
        now += gap
        over = limiter.take(MODEL, tokens=tokens, now=now)
        if over is None:
            passed += tokens
        else:
            assert limiter.take(MODEL, tokens=tokens, now=now + over.retry_after + 0.001) is None
            now += over.retry_after + 0.001
            passed += tokens
        assert passed <= SMALL.input_tokens * (1 + now / 60) + 1


def test_a_spend_cap_ends_the_month() -> None:
    """Beyond it every request is refused with its code and without retry-after; the next month begins anew."""
    sim = Simulator(spend_cap=1e-6)
    with sim.client(max_retries=0) as client:
        ask = {"model": "claude-haiku-5-5", "max_tokens": 5, "messages": [{"role": "user", "content": "Hi"}]}
        client.messages.create(**ask)
        with pytest.raises(anthropic.RateLimitError) as caught:
            client.messages.create(**ask)
        assert caught.value.error_code == "enforced_spend_limit_reached"
        assert "retry-after" not in caught.value.response.headers
        sim.clock.advance(31 * 86_400)
        assert client.messages.create(**ask)
