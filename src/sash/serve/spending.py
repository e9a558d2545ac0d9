"""How much of the server's ceilings is spent, for pages and API: values, no HTTP. A tenant sees its own accounts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from sash.limits.ceilings.policy import Account, Ceiling, Charge, period, share
from sash.limits.layers import Layers
from sash.serve.settings import ServeSettings
from sash.stores.store import DatabaseStore

FULLEST = 5
"""Accounts of users, and of conversations, that are told of each ceiling."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CeilingUse:
    """An account of a ceiling in its present period."""

    ceiling: Ceiling
    name: str
    """of the user or the conversation; "" where it counts for all"""
    period: str
    spent: Charge

    @property
    def share(self) -> float:
        """How much of the ceiling is spent, 0 to 1 and beyond."""
        return share(_account(self.ceiling, self.name, self.period), self.spent)


def ceilings_in_use(store: DatabaseStore, settings: ServeSettings, namespace: str, now: float) -> list[CeilingUse]:
    """Each ceiling that is kept in the record, as far as it concerns a namespace, at unix time `now`."""
    ceilings = Layers(ceilings=settings.options.get("ceilings")).ceilings_here
    return [use for ceiling in ceilings for use in _uses(store, settings, ceiling, namespace, now)]


def _uses(
    store: DatabaseStore, settings: ServeSettings, ceiling: Ceiling, namespace: str, now: float
) -> Iterator[CeilingUse]:
    when = period(ceiling.period, now)
    if ceiling.per in ("namespace", "all"):
        if ceiling.per == "namespace" or not _shared(settings):
            account = _account(ceiling, namespace if ceiling.per == "namespace" else "", when)
            yield CeilingUse(ceiling=ceiling, name="", period=when, spent=store.spend.spent(account))
        return
    by: Literal["dollars", "tokens"] = "tokens" if ceiling.dollars is None else "dollars"
    for name, spent in store.spend.fullest(ceiling.per, when, namespace=namespace, by=by, limit=FULLEST):
        yield CeilingUse(ceiling=ceiling, name=name, period=when, spent=spent)


def _shared(settings: ServeSettings) -> bool:
    """Whether several tenants use the server: what all spend together is told to none."""
    return len({token.namespace for token in settings.tokens}) > 1


def _account(ceiling: Ceiling, key: str, when: str) -> Account:
    return Account(scope=ceiling.per, key=key, period=when, dollars=ceiling.dollars, tokens=ceiling.tokens)
