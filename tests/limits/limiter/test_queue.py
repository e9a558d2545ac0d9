"""The line: order of arrival, a head start for those at a screen, nobody waits for ever."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sash.limits.headers import told
from sash.limits.limiter.queue import HEAD_START, WaitQueue
from sash.limits.limiter.tiers import limits_of, pool_of


@given(st.lists(st.tuples(st.floats(0, 100), st.sampled_from(["interactive", "background"])), max_size=30), st.data())
def test_order_of_arrival_with_a_bounded_head_start(arrivals: list[tuple[float, str]], data: st.DataObject) -> None:
    """Whoever is first has nobody in front who came earlier by more than the head start, whoever left meanwhile."""
    line: WaitQueue[int] = WaitQueue()
    places = {n: line.join(n, kind, at) for n, (at, kind) in enumerate(arrivals)}  # type: ignore[arg-type]
    while places:
        first = line.first()
        assert first is not None and first in places
        others = [arrivals[n][0] for n in places if n != first]
        assert all(arrivals[first][0] <= at + HEAD_START["background"] for at in others)
        gone = data.draw(st.sampled_from(sorted(places)))
        assert set(line.ahead(places[gone])) == {n for n in places if places[n] < places[gone]}
        line.leave(places.pop(gone))
        assert len(line) == len(places)
    assert line.first() is None


RATE = "anthropic-ratelimit"
NAMES = ("retry-after", f"{RATE}-requests-limit", f"{RATE}-input-tokens-remaining", f"{RATE}-output-tokens-limit")


@given(st.dictionaries(st.sampled_from(NAMES), st.text() | st.floats().map(str) | st.integers().map(str)))
def test_nonsense_in_headers_says_nothing_harmful(headers: dict[str, str]) -> None:
    """Whatever stands there, limits are positive, remainders not negative, waits short."""
    found = told(headers, 429)
    assert all(limit is None or 1 <= limit < 1e12 for limit in found.limits)
    assert all(left is None or 0 <= left < 1e12 for left in found.remaining)
    assert 0 < found.wait <= 60


def test_a_good_reply_may_carry_retry_after() -> None:
    """It means nothing there."""
    assert told({"retry-after": "30"}, 200).wait == 0


def test_models_that_share_a_pool() -> None:
    """All Opus 4 draw from one, each newer model from its own."""
    assert pool_of("claude-opus-4-8") == pool_of("claude-opus-4-5-20251101") == "claude-opus-4"
    assert pool_of("claude-opus-5-5") != pool_of("claude-opus-5")
    assert limits_of("start", pool_of("claude-fable-5-1")).input_tokens == 500_000
