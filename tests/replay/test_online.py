"""The best policy without foresight: between what nobody can pay and what anybody does."""

from __future__ import annotations

from itertools import product
from math import prod

import pytest

from sash import Economic, SteppedWindow, card
from sash.replay import Memoryless, Terms, Trace, TraceCall, least_expected, optimum, run

PAUSES = (60.0, 1_200.0, 20_000.0)
REQUESTS = 6


@pytest.mark.parametrize("chances", [(0.5, 0.3, 0.2), (0.05, 0.9, 0.05), (1.0, 0.0, 0.0)])
def test_it_expects_less_than_any_strategy_and_no_less_than_foresight(chances: tuple[float, ...]) -> None:
    """Over all ways that short traffic can go, weighed by their chances; where nothing is left to chance, foresight."""
    law = Memoryless(tokens=1_100, pauses=PAUSES, chances=chances)
    terms = Terms(card=card("claude-sonnet-5-5"), keep=1_500, budget=5_000)
    least = least_expected(law, REQUESTS, terms.card, keep=terms.keep, budget=terms.budget)
    found = dict.fromkeys(("foresight", "economic", "stepped"), 0.0)
    for pauses in product(range(3), repeat=REQUESTS - 1):
        chance = prod(chances[at] for at in pauses)
        trace = Trace("t", tuple(TraceCall(gap, law.tokens) for gap in (0.0, *(PAUSES[at] for at in pauses))))
        found["foresight"] += chance * optimum(trace, terms.card, keep=terms.keep, budget=terms.budget)
        found["economic"] += chance * run(trace, Economic(), terms).dollars
        found["stepped"] += chance * run(trace, SteppedWindow(), terms).dollars
    assert found["foresight"] <= least * (1 + 1e-9) <= min(found["economic"], found["stepped"]) * (1 + 2e-9)
    if chances[0] == 1.0:
        assert least == pytest.approx(found["foresight"])


def test_one_request_costs_its_tokens() -> None:
    """What nothing comes after is sent as it is, at the full price."""
    model = card("claude-sonnet-5-5")
    law = Memoryless(tokens=2_000, pauses=(60.0,), chances=(1.0,))
    assert least_expected(law, 1, model, keep=4_000, budget=9_000) == pytest.approx(2_000 * model.price(0).fresh / 1e6)
