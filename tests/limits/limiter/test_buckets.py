"""Token buckets: what is handed out never passes what a minute allows, and nothing is lost."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sash.errors import InvalidOption
from sash.limits.limiter.buckets import HOLD_SECONDS, Told, hear, new_pool, refilled, reserve, settle
from sash.limits.limiter.policy import Limits

LIMITS = Limits(requests=60, input_tokens=6_000, output_tokens=600, burst=0.5)
DEEDS = st.lists(
    st.tuples(
        st.floats(0, 30), st.integers(1, 6_000), st.integers(1, 900), st.sampled_from(["keep", "settle", "none"])
    ),
    max_size=40,
)


@given(DEEDS)
def test_reserved_requests_and_input_never_pass_the_limit(deeds: list[tuple[float, int, int, str]]) -> None:
    """In any span of time no more is granted than the burst and what the span refills, refunds apart."""
    pool, now, granted = new_pool(LIMITS, 0.0), 0.0, []
    for number, (pause, tokens, output, then) in enumerate(deeds):
        now += pause
        verdict = reserve(pool, str(number), (1, tokens, output), now)
        pool = verdict.pool
        if verdict.wait == 0:
            granted.append((now, 1.0, float(tokens)))
            if then != "keep":
                pool = settle(pool, str(number), None if then == "none" else (1.0, tokens, output), now)
    for k, limit in ((1, 60), (2, 6_000)):
        for start in range(len(granted)):
            taken = 0.0
            for when, *amounts in granted[start:]:
                taken += amounts[k - 1]
                allowed = limit * 0.5 + (when - granted[start][0]) * limit / 60
                assert taken <= max(allowed, amounts[k - 1]) + limit * 0.5 + 1e-6


@given(st.integers(1, 6_000), st.integers(0, 600), st.floats(0, 100))
def test_who_waits_as_told_passes(tokens: int, output: int, at: float) -> None:
    """The wait is computed: after it, and not before, the reservation is granted."""
    pool = reserve(new_pool(LIMITS, 0.0), "first", (1, 3_000, 300), at).pool
    verdict = reserve(pool, "second", (1, tokens, output), at)
    if verdict.wait:
        if verdict.wait > 0.01:
            assert reserve(verdict.pool, "second", (1, tokens, output), at + verdict.wait / 2).wait > 0
        assert reserve(verdict.pool, "second", (1, tokens, output), at + verdict.wait + 1e-6).wait == 0


def test_what_was_not_used_comes_back() -> None:
    """A refund leaves the buckets as if only what was used had been taken."""
    pool = reserve(new_pool(LIMITS, 0.0), "a", (1, 2_000, 200), 0.0).pool
    assert settle(pool, "a", (1, 500, 50), 0.0).levels == (29.0, 2_500.0, 250.0)
    assert settle(pool, "a", (0, 0, 0), 0.0).levels == (30.0, 3_000.0, 300.0)


def test_output_beyond_what_was_reserved_is_a_debt() -> None:
    """A reply longer than reserved is paid for by those that come after."""
    pool = reserve(new_pool(LIMITS, 0.0), "a", (1, 1, 10), 0.0).pool
    pool = settle(pool, "a", (1, 1, 700), 0.0)
    assert reserve(pool, "b", (1, 1, 10), 0.0).wait == pytest.approx(41.0)


def test_concurrency_counts_what_is_under_way() -> None:
    """With one at a time the second goes when the first is settled, or believed dead."""
    pool = reserve(new_pool(Limits(concurrency=1), 0.0), "a", (1, 1, 1), 0.0).pool
    verdict = reserve(pool, "b", (1, 1, 1), 1.0)
    assert (verdict.wait > 0, verdict.kind) == (True, "concurrency")
    assert reserve(settle(pool, "a", None, 1.0), "b", (1, 1, 1), 1.0).wait == 0
    assert reserve(pool, "b", (1, 1, 1), HOLD_SECONDS + 1).wait == 0


@pytest.mark.parametrize("name", ["requests", "input_tokens", "output_tokens", "concurrency"])
def test_a_limit_of_zero_lets_nothing_pass(name: str) -> None:
    """It is said at once and for ever."""
    verdict = reserve(new_pool(Limits(**{name: 0}), 0.0), "a", (1, 1, 1), 0.0)
    assert (verdict.wait, verdict.kind) == (inf, name)


def test_nobody_passes_who_waits_in_front() -> None:
    """A small request does not overtake a large one that came first, until that one is heard of no more."""
    pool = reserve(new_pool(LIMITS, 0.0), "a", (1, 3_000, 1), 0.0).pool
    pool = reserve(pool, "large", (1, 2_000, 1), 0.0, order=1.0).pool
    verdict = reserve(pool, "small", (1, 10, 1), 1.0, order=2.0)
    assert verdict.wait == pytest.approx(19.1)
    assert reserve(verdict.pool, "small", (1, 10, 1), 3.5, order=2.0).wait == 0


def test_headers_overrule_a_guess_and_lower_what_is_firm() -> None:
    """Unknown limits are learned; the caller's own are only ever lowered."""
    told = Told(limits=(100.0, 9_000.0, 500.0), remaining=(90.0, 8_000.0, 400.0))
    assert hear(new_pool(Limits(), 0.0), "a", told, 0.0).limits == (100.0, 9_000.0, 500.0)
    assert hear(new_pool(LIMITS, 0.0), "a", told, 0.0).limits == (60, 6_000, 500.0)
    assert hear(new_pool(LIMITS, 0.0, firm=False), "a", told, 0.0).limits == (100.0, 9_000.0, 500.0)


def test_headers_show_who_else_draws() -> None:
    """What remains for the server is what remains, however full our own bucket is."""
    pool = reserve(new_pool(LIMITS, 0.0), "a", (1, 100, 10), 0.0).pool
    left = hear(pool, "a", Told(remaining=(50.0, 500.0, None)), 1.0).levels
    assert left[1] <= 500 + 500 + 100


@given(st.floats(0, 20), st.integers(0, 2_900))
def test_late_headers_about_ourselves_change_nothing(late: float, more: int) -> None:
    """What others of ours took, and what was refilled, since a response's headers were made is reckoned in."""
    pool = reserve(new_pool(LIMITS, 0.0), "a", (1, 100, 10), 0.0).pool
    if more:
        pool = reserve(pool, "b", (1, more, 10), 0.0).pool
    pool = refilled(pool, late)
    heard = hear(pool, "a", Told(remaining=(29.0, 2_900.0, 290.0)), late)
    assert heard.levels == pytest.approx(pool.levels)


def test_a_refusal_closes_the_pool_and_no_flood_follows() -> None:
    """After 429 nothing passes for the time that was named, and the buckets begin empty then."""
    pool = reserve(new_pool(LIMITS, 0.0), "a", (1, 1, 1), 0.0).pool
    pool = settle(hear(pool, "a", Told(wait=5.0), 0.0), "a", (0, 0, 0), 0.0)
    assert reserve(pool, "b", (1, 1, 1), 4.9).wait > 0
    assert refilled(pool, 5.0).levels == pytest.approx((1.0, 1.0, 1.0))


@pytest.mark.parametrize("bad", [{"requests": -1}, {"input_tokens": 1.5}, {"concurrency": True}, {"burst": 0}])
def test_limits_are_checked_when_made(bad: dict[str, float]) -> None:
    """Nonsense is refused with its name."""
    with pytest.raises(InvalidOption) as caught:
        Limits(**bad)  # type: ignore[arg-type]
    assert caught.value.option in bad
