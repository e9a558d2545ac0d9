"""The economic window's decisions: when it cuts, what it marks, what it says."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sash import Conversation
from sash.errors import InvalidOption
from sash.model.cards import ModelCard, Ttl, card
from sash.model.turns import Exchange
from sash.planning.situation import Marks, Situation, Size, Warmth
from sash.planning.strategies import Economic
from sash.simulator import Simulator

SONNET = card("claude-sonnet-5")


def exchanges(count: int, tokens: int = 400, *, running: bool = False) -> tuple[Exchange, ...]:
    """Equal exchanges; the last one may be in a tool run."""
    return tuple(
        Exchange(first=2 * i + 1, last=2 * i + 2, tokens=tokens, upper=tokens, open=running and i == count - 1)
        for i in range(count)
    )


def situation(count: int = 60, *, warm: float = 200.0, tokens: int = 400, **changes: Any) -> Situation:
    """A view of everything at second 1,000, its tail alive for `warm` more seconds."""
    some = changes.pop("exchanges", None) or exchanges(count, tokens)
    prompt = sum(e.tokens for e in some) + 600
    fields = {
        "exchanges": some,
        "first_exchange": 0,
        "fixed": Size(tokens=600, upper=600),
        "stay": Size(tokens=prompt, upper=prompt),
        "budget": 64_000,
        "keep": 4_000,
        "max_tokens": 1_000,
        "card": SONNET,
        "now": 1000.0,
        "warmth": Warmth(tail_until=1000.0 + warm, tail_tokens=prompt - tokens, preamble_until=1000.0 + warm),
        **changes,
    }
    return Situation(**fields)


def test_a_cold_cache_is_cut_for_free() -> None:
    """When the prefix is written anyway, only the shortest run that holds keep is written."""
    decision = Economic().decide(situation(warm=-1.0))
    assert decision.rule == "free"
    assert decision.first_exchange == 50


def test_a_warm_short_view_stays() -> None:
    """Just above keep, reading is cheaper than writing anew."""
    decision = Economic().decide(situation(14))
    assert (decision.rule, decision.first_exchange) == ("stay", 0)


def test_a_warm_long_view_is_cut_when_that_pays() -> None:
    """Far above keep, carrying the excess costs more than writing the rest."""
    decision = Economic().decide(situation(140))
    assert decision.rule == "pays"
    assert decision.first_exchange == 130


def test_the_limit_forces_a_cut() -> None:
    """The upper bound counts, not the estimate."""
    held = situation(16)
    decision = Economic().decide(replace(held, stay=Size(tokens=7_000, upper=64_001)))
    assert decision.rule == "must"
    assert decision.first_exchange > 0


def test_an_open_tool_run_is_not_cut() -> None:
    """Inside a tool run the view stays though a cut would pay, unless it was allowed and thinking is not bound."""
    held = situation(exchanges=exchanges(140, running=True))
    assert Economic().decide(held).first_exchange == 0
    assert Economic(inside_tools=True).decide(held).first_exchange == 130
    bound = replace(held, card=card("claude-sonnet-5-5"))
    assert Economic(inside_tools=True).decide(bound).first_exchange == 0


def test_the_limit_cuts_even_an_open_tool_run() -> None:
    """The budget comes first."""
    held = situation(exchanges=exchanges(170, running=True))
    assert Economic().decide(held).rule == "must"


def test_a_forced_epoch_is_a_free_cut() -> None:
    """Where system or tools changed nothing can be read, so what may leave leaves."""
    decision = Economic().decide(situation(forced="the tools changed"))
    assert decision.rule == "free"
    assert "the tools changed" in decision.reason


def test_a_price_cliff_is_a_budget_of_its_own() -> None:
    """Haiku 5.5 is not sent past 100,000 tokens where the budget would allow it."""
    haiku = card("claude-haiku-5-5")
    decision = Economic().decide(situation(252, card=haiku, budget=300_000, keep=90_000))
    assert decision.rule == "must"
    assert decision.first_exchange > 0
    running = situation(exchanges=exchanges(252, running=True), card=haiku, budget=300_000, keep=90_000)
    assert Economic().decide(running).rule == "must"


@pytest.mark.parametrize("ttl", ["5m", "1h"])
def test_a_lifetime_that_the_caller_fixed_is_the_one_that_is_priced(ttl: Ttl) -> None:
    """At a quick pace most of the prompt is read from the cache, whichever lifetime the caller fixed."""
    simulator = Simulator()
    simulator.script(lambda _: "It leaves at ten past the hour, from the stop behind the hall. " * 8)
    system = "You are the timetable of a small town. " * 40
    with Conversation(
        client=simulator.client(), clock=simulator.clock.now, system=system, budget=8_000, keep=1_000, cache=ttl
    ) as chat:
        for number in range(25):
            chat.send(f"When does tram {number} leave? " + "Please be exact. " * 20)
            simulator.clock.advance(20)
        assert chat.usage().cached_share > 0.75


def test_without_markers_every_cut_is_free() -> None:
    """Where the caller wants no marker, nothing is ever read, and the strategy marks nothing."""
    decision = Economic().decide(situation(warm=-1.0, marks=Marks(preamble=None, tail=None)))
    assert decision.rule == "free"
    assert decision.marks and decision.marks.tail is None


def test_without_prices_it_says_so() -> None:
    """A card that has no prices gets two fixed watermarks, and the reason names that."""
    bare = ModelCard(id="house-model", window=200_000, max_output=1000, prices=(), cache_minimum=512)
    decision = Economic().decide(situation(card=bare))
    assert "no prices are known for house-model" in decision.reason
    assert decision.first_exchange == 0
    assert Economic().decide(situation(card=bare, budget=20_000)).first_exchange == 50


def test_the_alternative_is_priced() -> None:
    """What was not taken is named with its dollars."""
    assert "$" in Economic().decide(situation(warm=-1.0)).rejected
    assert "keeping 24,000 tokens" in Economic().decide(situation(warm=-1.0)).rejected


@pytest.mark.parametrize("warm", [-1.0, 100.0])
def test_unless_early_only_the_limit_cuts(warm: float) -> None:
    """With early=False what fits the budget stays, cold or warm; what does not fit leaves as ever."""
    assert Economic(early=False).decide(situation(140, warm=warm)).first_exchange == 0
    assert Economic().decide(situation(140, warm=-1.0)).first_exchange > 0
    forced = Economic(early=False).decide(situation(140, warm=warm, budget=20_000))
    assert forced.first_exchange > 0 and forced.rule == "must"


def test_a_cut_for_price_says_what_it_saves() -> None:
    """Dollars are named where the price alone asks for a cut, and not where the limit does."""
    assert Economic().decide(situation(140, warm=-1.0)).saves > 0
    assert Economic().decide(situation(140, budget=20_000)).saves == 0
    assert Economic().decide(situation(2)).saves == 0


def test_negative_dollars_are_refused() -> None:
    """The option and its value are named."""
    with pytest.raises(InvalidOption, match="per_cut"):
        Economic(per_cut=-1.0)


def test_worth_is_refused_with_what_keeps_more() -> None:
    """A setting of earlier versions is named with its remedy."""
    with pytest.raises(InvalidOption, match="early=False"):
        Economic(worth=0.01)  # type: ignore[call-arg]


def test_its_repr_is_its_label() -> None:
    """A strategy prints as what builds it."""
    assert eval(repr(Economic(per_cut=0.5))) == Economic(per_cut=0.5)


sizes = st.lists(st.integers(20, 9000), min_size=1, max_size=30)


@given(sizes, st.booleans(), st.booleans(), st.integers(500, 9000), st.sampled_from((20_000, 60_000)))
def test_the_promise_holds(tokens: list[int], running: bool, cold: bool, keep: int, budget: int) -> None:
    """Whatever the sizes: keep stays verbatim, or the most that fits; only the newest may pass the limit."""
    some = tuple(
        Exchange(first=i, last=i, tokens=n, upper=n, open=running and i == len(tokens) - 1)
        for i, n in enumerate(tokens)
    )
    held = situation(exchanges=some, keep=keep, budget=budget, warm=-1.0 if cold else 100.0)
    decision = Economic().decide(held)
    held_now = replace(held, stay=None, first_exchange=None)
    assert held_now.fits(decision.first_exchange) or decision.first_exchange == held.newest
    assert held_now.kept(decision.first_exchange) >= keep or decision.first_exchange in (0, held.fitting(0))


@given(sizes, st.booleans())
def test_deciding_is_pure(tokens: list[int], cold: bool) -> None:
    """The same situation gives the same decision, and what is learned is not doubled by asking twice."""
    some = tuple(Exchange(first=i, last=i, tokens=n, upper=n) for i, n in enumerate(tokens))
    held = situation(exchanges=some, warm=-1.0 if cold else 100.0)
    assert Economic().decide(held) == Economic().decide(held)
