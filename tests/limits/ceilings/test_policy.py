"""Ceilings as values: accounts, periods, shares."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sash.errors import InvalidOption
from sash.limits.ceilings.policy import Account, Ceiling, Charge, accounts, passes, share
from sash.limits.sizes import most_tokens
from sash.model.cards import TABLE
from sash.model.forecast import Forecast, most_dollars
from sash.model.usage import Usage
from sash.simulator.tokens import tokenizer_for

KNOWN = Forecast(countable=1, prompt=1, output=1, conversation="chat", namespace="shop", user="ann")


def test_each_ceiling_is_counted_on_its_own_account() -> None:
    """Conversations and users of one namespace are never those of another."""
    ceilings = [Ceiling(dollars=1, per=per, period="day") for per in ("conversation", "user", "namespace", "all")]
    found = accounts(ceilings, KNOWN, "", 1_795_305_600.0)
    assert [account.key for account in found] == ["shop/chat", "shop/ann", "shop", ""]
    assert {account.period for account in found} == {"2026-11-22"}


@given(st.sampled_from(sorted(TABLE)), st.integers(0, 300_000), st.integers(0, 32_000), st.data())
def test_no_usage_costs_more_than_the_bound(model: str, prompt: int, output: int, data: st.DataObject) -> None:
    """Whatever part is read, fresh or written, for however long."""
    first, second = sorted((data.draw(st.integers(0, prompt)), data.draw(st.integers(0, prompt))))
    usage = Usage(read=first, write_5m=second - first, write_1h=(prompt - second) // 2,
                  fresh=prompt - second - (prompt - second) // 2, output=output)  # fmt: skip
    card = TABLE[model]
    if card.prices:
        assert card.cost(usage) <= most_dollars(card, prompt, output) + 1e-12


@given(st.text(max_size=300))
def test_the_bound_on_tokens_needs_no_tokenizer(text: str) -> None:
    """It holds for texts of any script."""
    body = {"messages": [{"role": "user", "content": text}]}
    assert tokenizer_for(TABLE["claude-sonnet-5-5"])(text) <= most_tokens(body)


@given(st.floats(0, 10), st.floats(0, 10), st.integers(0, 1000))
def test_a_ceiling_passes_nothing_beyond_it(spent: float, needed: float, tokens: int) -> None:
    """What fits, fits; what does not is refused, by dollars and by tokens."""
    account = Account(scope="all", key="", period="ever", dollars=10.0, tokens=1000)
    held, more = Charge(dollars=spent, tokens=500), Charge(dollars=needed, tokens=tokens)
    assert passes(account, held, more) == (spent + needed > 10.0 + 1e-9 or tokens > 500)
    assert share(account, held) >= 0.5


@pytest.mark.parametrize("bad", [{}, {"dollars": -1}, {"dollars": 1, "per": "team"}, {"tokens": 1, "period": "week"}])
def test_a_ceiling_is_checked_when_made(bad: dict[str, Any]) -> None:
    """Nonsense is refused."""
    with pytest.raises(InvalidOption):
        Ceiling(**bad)
