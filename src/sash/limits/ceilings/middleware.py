"""Spending ceilings: an attempt whose upper bound would pass one is not sent; the caller chooses what then.

The bound is booked before the attempt and corrected by the reply's usage; a stream that broke off or was left, by its
prompt and what had come of it. What failed with an error response costs nothing; what was lost before anything came may
have been billed, and stays booked. Alerts tell of shares of a ceiling, once each.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from sash.errors import CeilingReached, InvalidOption, SashError
from sash.limits.attempts import Attempt, Next, PerAttempt, Work
from sash.limits.ceilings.policy import SHARES, Account, Ceiling, Charge, Over, SpendBook, accounts, share
from sash.limits.context import forecast, note
from sash.limits.endings import ReplyEnding, booked, ending
from sash.limits.sizes import most_tokens
from sash.model.bill import bill
from sash.model.bill import most as dearest
from sash.model.cards import ModelCard, card
from sash.model.forecast import Forecast, user_of
from sash.model.usage import Usage

log = logging.getLogger("sash.claude")

Choice = Literal["refuse"] | str | Callable[[Over], bool | str | None]
"""What happens at a ceiling: "refuse", a cheaper model's id, or a callback: True lets it pass, or a model's id."""


class Ceilings(PerAttempt):
    """Keeps spending below ceilings, atomically across all processes that share the book.

    `book`: where it is kept, a `sash.stores.SqliteSpend` (a conversation uses its own file). `over`: what to do with a
    request that would pass a ceiling (it must fit with the cheaper model, too). `alert`: called with a sentence when
    the share of a ceiling in `shares` is passed, once per period; None writes it to the log.
    Raises CeilingReached.
    """

    def __init__(
        self,
        ceilings: Ceiling | Sequence[Ceiling],
        *,
        book: SpendBook | None = None,
        over: Choice = "refuse",
        shares: Sequence[float] = SHARES,
        alert: Callable[[str], None] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.ceilings = (ceilings,) if isinstance(ceilings, Ceiling) else tuple(ceilings)
        if not all(isinstance(ceiling, Ceiling) for ceiling in self.ceilings):
            raise InvalidOption(f"ceilings={ceilings!r:.80}: give Ceilings", option="ceilings", value=ceilings)
        if isinstance(over, str) and over != "refuse":
            card(over)
        self.over, self.shares, self.alert, self.clock = over, tuple(sorted(shares)), alert, clock
        self._book = book
        self._in_dollars = any(ceiling.dollars is not None for ceiling in self.ceilings)

    def __repr__(self) -> str:
        return f"Ceilings({list(self.ceilings)!r})"

    @property
    def book(self) -> SpendBook:
        """Where it is kept. Raises InvalidOption where nobody said."""
        if self._book is None:
            raise InvalidOption("say where spending is booked: Ceilings(..., book=SqliteSpend(path))", option="book")
        return self._book

    @property
    def has_book(self) -> bool:
        """Whether it was said where spending is booked."""
        return self._book is not None

    def kept_in(self, book: SpendBook) -> Ceilings:
        """The same ceilings, kept in `book` where no other was named."""
        if self._book is not None:
            return self
        return Ceilings(
            self.ceilings, book=book, over=self.over, shares=self.shares, alert=self.alert, clock=self.clock
        )

    def attempt(self, request: Any) -> Attempt:
        """Book the bound, send, correct it."""
        body = request.json if isinstance(request.json, Mapping) else {}
        known = forecast()
        found = accounts(self.ceilings, known, user_of(body), self.clock())
        most = self._bound(body, known)
        answer = yield Work(lambda: self.book.book(found, most))
        if isinstance(answer, Over):
            request, most = yield from self._choose(request, body, found, answer)
        try:
            response = yield Next(request)
        except GeneratorExit:
            raise
        except BaseException as error:
            note(booked=most.dollars)
            if not _may_be_billed(error):
                yield Work(lambda: self._corrected(found, most, Charge()))
            raise
        if response.status_code >= 400:
            yield Work(lambda: self._corrected(found, most, Charge()))
            return response
        sent, began = request.json, self.clock()

        def ended(end: ReplyEnding) -> None:
            spent = _spent(sent, _card(sent, known), end, most, self.clock() - began)
            self._corrected(found, most, spent)

        yield from ending(response, ended, blocking=True)
        return response

    def _choose(self, request: Any, body: Mapping[str, Any], found: Sequence[Account], over: Over) -> Attempt:
        """What the caller wants at a ceiling: the request to send and what was booked for it. Raises CeilingReached."""
        ask = self.over
        choice = (yield Work(lambda: ask(over))) if callable(ask) else ask
        note(ceiling=over.account.scope)
        if choice is True:
            yield Work(lambda: self.book.correct(found, over.needed))
            return request, over.needed
        known = forecast()
        if not isinstance(choice, str) or choice in ("refuse", body.get("model")):
            raise _reached(over, None)
        if known is not None and known.request is not None:
            raise _reached(over, choice)  # the record must know of another model: the flow sends it
        cheaper = {**body, "model": choice}
        most = self._bound(cheaper, known)
        answer = yield Work(lambda: self.book.book(found, most))
        if isinstance(answer, Over):
            raise _reached(answer, None)
        return request.copy(body=cheaper), most

    def _bound(self, body: Mapping[str, Any], known: Forecast | None) -> Charge:
        """The most that a request can use: by the plan, else by its bytes.

        Raises UnknownModel where a ceiling is of dollars and no price is known.
        """
        prompt = known.prompt if known else most_tokens(body)
        output = known.output if known else int(body.get("max_tokens") or 0)
        priced = _card(body, known)
        dollars = dearest(body, priced, prompt, output) if priced.prices or self._in_dollars else 0.0
        return Charge(dollars=dollars, tokens=prompt + output)

    def _corrected(self, found: Sequence[Account], booked: Charge, spent: Charge) -> None:
        try:
            holds = self.book.correct(found, spent - booked)
            for account, held in zip(found, holds, strict=True):
                self._tell(account, held)
        except SashError as error:  # the reply is there and paid for; its bound stays booked
            log.warning("spending could not be corrected (%s): the upper bound stays booked", type(error).__name__)

    def _tell(self, account: Account, held: Charge) -> None:
        """Raise the alerts whose share is passed and that were not raised before."""
        now = share(account, held)
        for step in self.shares:
            name = f"{account.scope} {account.key} {account.period} {account.dollars} {account.tokens} {step}"
            if now >= step and self.book.first(name, self.clock()):
                who = f"{account.scope} {account.key}".strip()
                text = f"{who}: {step:.0%} of the ceiling for {account.period} is spent (${held.dollars:.4f})"
                log.warning("%s", text) if self.alert is None else self.alert(text)


def _card(body: Mapping[str, Any], known: Forecast | None) -> ModelCard:
    model = str(body.get("model") or "")
    return known.card if known and known.card is not None and known.card.id == model else card(model)


def _spent(body: Mapping[str, Any], priced: ModelCard, end: ReplyEnding, most: Charge, seconds: float) -> Charge:
    """What a reply of `seconds` cost; of one that broke off, its prompt and the bound of what had come of it."""
    used = booked(end, priced, body, seconds)
    if used is None:
        return most
    usage = Usage.billed(used)
    dollars = bill(used, priced, model=end.model, options=body)
    return Charge(dollars=most.dollars if dollars is None else dollars, tokens=usage.prompt + usage.output)


def _may_be_billed(error: BaseException) -> bool:
    """Whether a request that brought no response may have been worked on: not where another layer held it back."""
    return not type(error).__module__.startswith("sash.")


def _reached(over: Over, model: str | None) -> CeilingReached:
    return CeilingReached(
        f"{over}; nothing was sent, the turn is pending. Raise the ceiling, then retry()",
        status=None,
        kind="ceiling_reached",
        request_id=None,
        detail=str(over),
        scope=over.account.scope,
        key=over.account.key,
        period=over.account.period,
        spent=over.spent.dollars,
        needed=over.needed.dollars,
        model=model,
    )
