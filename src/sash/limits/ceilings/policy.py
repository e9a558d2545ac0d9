"""What may be spent: dollars and tokens per conversation, user, namespace or in all, per day, month or for ever.

A ceiling is checked before sending, with the upper bound of the request, and the bound stays booked until the reply's
usage corrects it: whatever dies in between counts as spent. Pure; the book is a store's, or anybody's of its shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, Protocol

from sash.errors import InvalidOption
from sash.model.forecast import Forecast
from sash.model.settings import settings

Scope = Literal["conversation", "user", "namespace", "all"]
Period = Literal["day", "month", "ever"]
SHARES = (0.5, 0.8, 1.0)


@settings
@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """The most that may be spent. `per` whom, in which `period` (days and months in UTC).

    Requests that name no user, or come without a conversation, share one account of their own.
    """

    dollars: float | None = None
    tokens: int | None = None
    """of prompts and replies, cache reads included"""
    per: Scope = "all"
    period: Period = "day"

    def __post_init__(self) -> None:
        if self.dollars is None and self.tokens is None:
            raise InvalidOption("a ceiling is of dollars, of tokens, or of both", option="dollars", value=None)
        for name, value in (("dollars", self.dollars), ("tokens", self.tokens)):
            if value is not None and not value >= 0:
                raise InvalidOption(f"{name}={value!r}: give a number, 0 or more", option=name, value=value)
        if self.per not in ("conversation", "user", "namespace", "all"):
            raise InvalidOption(f"per={self.per!r}: conversation, user, namespace or all", option="per", value=self.per)
        if self.period not in ("day", "month", "ever"):
            raise InvalidOption(f"period={self.period!r}: day, month or ever", option="period", value=self.period)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What a ceiling is counted on."""

    scope: Scope
    key: str
    period: str
    """"2026-11-21", "2026-11" or "ever" """
    dollars: float | None
    tokens: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """An amount."""

    dollars: float = 0.0
    tokens: int = 0

    def __sub__(self, other: Charge) -> Charge:
        return Charge(dollars=self.dollars - other.dollars, tokens=self.tokens - other.tokens)


@dataclass(frozen=True, slots=True, kw_only=True)
class Over:
    """A request that would pass a ceiling: which account, what was spent, what it needs at most."""

    account: Account
    spent: Charge
    needed: Charge

    def __str__(self) -> str:
        who = f"{self.account.scope} {self.account.key!r}".replace(" ''", "")
        dollars = self.account.dollars
        if dollars is not None and self.spent.dollars + self.needed.dollars > dollars:
            state = f"${self.spent.dollars:.4f} of ${dollars:.4f} spent, up to ${self.needed.dollars:.4f} more needed"
        else:
            state = f"{self.spent.tokens:,} of {self.account.tokens:,} tokens spent, up to {self.needed.tokens:,} more"
        return f"the ceiling of {who} ({self.account.period}) would be passed: {state}"


class SpendBook(Protocol):
    """Where spending is booked. Each method is atomic, across processes where the book is."""

    def book(self, accounts: Sequence[Account], charge: Charge) -> Over | Sequence[Charge]:
        """Book `charge` on all accounts and return what each held before; or none, and say which would be passed."""
        ...

    def correct(self, accounts: Sequence[Account], by: Charge) -> Sequence[Charge]:
        """Add a difference, whatever the ceilings say, and return what each account holds then."""
        ...

    def first(self, alert: str, at: float) -> bool:
        """Whether this alert is raised for the first time."""
        ...


def accounts(ceilings: Sequence[Ceiling], forecast: Forecast | None, user: str, now: float) -> tuple[Account, ...]:
    """The accounts that a request at unix time `now` is counted on."""
    namespace = forecast.namespace if forecast else ""
    keys = {
        "conversation": account_key(namespace, forecast.conversation if forecast else ""),
        "user": account_key(namespace, forecast.user if forecast else user),
        "namespace": namespace,
        "all": "",
    }
    return tuple(
        Account(
            scope=ceiling.per,
            key=keys[ceiling.per],
            period=period(ceiling.period, now),
            dollars=ceiling.dollars,
            tokens=ceiling.tokens,
        )
        for ceiling in ceilings
    )


def account_key(namespace: str, name: str) -> str:
    """The key under which a conversation or a user of a namespace is booked."""
    return f"{namespace}/{name}" if namespace else name


def period(kind: Period, now: float) -> str:
    """The day or month of a unix time, in UTC."""
    if kind == "ever":
        return "ever"
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d" if kind == "day" else "%Y-%m")


def passes(account: Account, spent: Charge, needed: Charge) -> bool:
    """Whether `needed` more would pass the ceiling."""
    return (account.dollars is not None and spent.dollars + needed.dollars > account.dollars + 1e-9) or (
        account.tokens is not None and spent.tokens + needed.tokens > account.tokens
    )


def share(account: Account, spent: Charge) -> float:
    """How much of its ceiling is spent, 0 to 1 and beyond."""
    of_dollars = spent.dollars / account.dollars if account.dollars else 0.0
    return max(of_dollars, spent.tokens / account.tokens if account.tokens else 0.0)
