"""The closed forms of the economics, each against the plain sum or search that it replaces."""

import json
import math
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sash.model.cards import Ttl, card
from sash.planning.economics import Chance, Frame, PauseModel, cache_policies, kind_of, prior, rates
from sash.planning.situation import Gaps

FRESH, READ, WRITE = rates(card("claude-sonnet-5").price(0))
chances = st.floats(0.02, 0.999)


def frame(**changes: float) -> Frame:
    """A frame at Sonnet 5's prices: 8,000 tokens kept, 400 a request."""
    sizes = {"preamble": 0.0, "usual": 8000.0, "lucky": 8000.0, "growth": 400.0, "room": 1e9, **changes}
    return Frame(fresh=FRESH, read=READ, write=WRITE, **sizes)


def always(q: float) -> dict[Ttl, Chance]:
    """The same chance for either lifetime at every pause."""
    return dict.fromkeys(("5m", "1h"), Chance(next=q, stay=q, cold=q))


def cycle_cost(q: float, n: int, ttl: Ttl, view: float, growth: float) -> float:
    """Dollars per request of cutting every n requests, summed request by request (memoryless pauses)."""
    dollars = length = 0.0
    for i in range(n):
        dollars += q**i * (WRITE[ttl] * view if i == 0 else READ * (view + (i - 1) * growth) + WRITE[ttl] * growth)
        length += q**i
    return dollars / length


@settings(max_examples=40)
@given(chances, st.sampled_from((100.0, 400.0, 1500.0)), st.sampled_from(get_args(Ttl)))
def test_a_cut_pays_where_the_cost_per_request_is_least(q: float, growth: float, ttl: Ttl) -> None:
    """x* is the minimum of the cost per request over the number of requests between cuts, to a flat bottom's width."""
    way = next(w for w in cache_policies(frame(growth=growth), always(q)) if w.ttl == ttl)
    found = round(way.cut_at / growth) + 1
    least = min(cycle_cost(q, n, ttl, 8000.0, growth) for n in range(1, 400))
    assert cycle_cost(q, min(found, 399), ttl, 8000.0, growth) <= least * 1.01


def test_without_pauses_it_is_the_order_quantity() -> None:
    """For a cache that never dies the excess is sqrt(2 (w - r) (L - t) t / r): new tokens are written either way."""
    way = cache_policies(frame(), always(0.9995))[0]
    classic = math.sqrt(2 * (WRITE["5m"] - READ) * 7600 * 400 / READ)
    assert way.cut_at == pytest.approx(classic, rel=0.03)


@given(chances, st.floats(0, 1))
def test_carrying_never_costs_more_than_a_cut(q: float, share: float) -> None:
    """An excess costs something, more the larger it is, and at most the cut that would remove it."""
    way = cache_policies(frame(), always(q))[0]
    x = share * way.cut_at
    assert -1e-12 <= way.carried(x) <= way.carried(way.cut_at) * (1 + 1e-6) + 1e-12
    assert way.carried(way.cut_at) == pytest.approx(way.anew * (8000 - 400), rel=0.01)
    assert way.carried(way.cut_at * 3) == way.carried(way.cut_at)


@given(chances)
def test_the_steady_cost_is_what_the_cycle_sums_to(q: float) -> None:
    """The closed form of the cost per request agrees with the sum over the cycle."""
    for way in cache_policies(frame(), always(q)):
        n = round(way.cut_at / 400) + 1
        assert way.steady == pytest.approx(cycle_cost(q, n, way.ttl, 8000.0, 400.0), rel=0.03)


@given(chances)
def test_a_limit_forces_the_cut_earlier(q: float) -> None:
    """With little room the cut comes at the limit, and a token carried there costs a cut."""
    way = cache_policies(frame(room=1000.0), always(q))[0]
    assert way.cut_at <= 1000.0
    assert way.carried(1000.0) >= way.anew * (8000 - 400) * 0.999 or way.cut_at < 1000.0


@given(st.lists(st.tuples(st.floats(0, 1e6), st.integers(1, 5000), st.booleans()), max_size=30))
def test_habits_survive_json(steps: list[tuple[float, int, bool]]) -> None:
    """What is learned is the same after a trip through JSON text."""
    habits, now = PauseModel(), 0.0
    for gap, added, inside in steps:
        now += gap
        habits = habits.after(now, added=added, sent=added, inside=inside, over=added)
    assert PauseModel.from_json(json.loads(json.dumps(habits.to_json()))) == habits


@given(st.lists(st.floats(0, 1e7), max_size=40), st.floats(0, 50), st.floats(0, 50), st.floats(0, 50))
def test_chances_are_chances(gaps: list[float], short: float, middle: float, long: float) -> None:
    """Whatever was seen, each chance lies between 0 and 1, and an hour is never shorter than five minutes."""
    habits, now = PauseModel(), 0.0
    for gap in gaps:
        now += gap
        habits = habits.after(now, added=10, sent=10, inside=False, over=None)
    found = Gaps(within_5m=short, within_1h=short + middle, total=short + middle + long)
    outlook = habits.outlook(prior(found))
    for name in ("next", "stay", "cold"):
        assert 0 < getattr(outlook["5m"], name) <= 1
    assert outlook["5m"].next <= outlook["1h"].next + 1e-12


def test_a_change_of_pace_is_soon_seen() -> None:
    """After 300 quick pauses, eight of two hours make an alive cache the less likely case."""
    habits, now = PauseModel(), 0.0
    for gap in [30.0] * 300 + [7200.0] * 8:
        now += gap
        habits = habits.after(now, added=10, sent=10, inside=False, over=None)
    assert habits.outlook(prior(Gaps()))["1h"].next < 0.5


def test_bursts_are_told_from_steady_traffic() -> None:
    """Where long pauses come between bursts, the chance after a short pause differs from that after a long one."""
    habits, now = PauseModel(), 0.0
    for gap in ([40.0] * 6 + [20_000.0]) * 40:
        now += gap
        habits = habits.after(now, added=10, sent=10, inside=False, over=None)
    assert habits.outlook(prior(Gaps()))["5m"].next > 0.9


def test_a_clock_that_jumps_back_counts_as_no_pause() -> None:
    """Negative time is taken for none, and what follows is measured from the new clock."""
    habits = PauseModel().after(1000.0, added=10, sent=10, inside=False, over=None)
    habits = habits.after(400.0, added=10, sent=20, inside=False, over=None)
    assert habits.last == kind_of(0.0)
    assert habits.at == 400.0


def test_other_conversations_teach_the_first_guess_only() -> None:
    """A prior moves a new conversation's chances, and hardly an old one's."""
    slow = prior(Gaps(within_5m=0, within_1h=0, total=1000))
    fresh, old, now = PauseModel(), PauseModel(), 0.0
    for _ in range(300):
        now += 20.0
        old = old.after(now, added=10, sent=10, inside=False, over=None)
    assert fresh.outlook(slow)["5m"].next < fresh.outlook(prior(Gaps()))["5m"].next - 0.1
    assert old.outlook(slow)["5m"].next > 0.95
