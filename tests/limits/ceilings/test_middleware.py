"""Ceilings on the SDK's own clients and on conversations: nothing is sent that might pass one."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import anthropic
import pytest

from limits.conftest import Caller
from sash import Conversation, SqliteStore, errors, simulator
from sash.claude.middleware import Ceiling, Ceilings
from sash.limits.ceilings.policy import Account, Charge, Over
from sash.simulator.faults import ConnectionLost, Overloaded
from sash.stores import SqliteSpend

ALL = Account(scope="all", key="", period="ever", dollars=None, tokens=None)


@pytest.fixture
def book(tmp_path: Path) -> Any:
    """A book in a file."""
    made = SqliteSpend(tmp_path / "spend.db")
    yield made
    made.close()


def test_what_is_booked_in_the_end_is_what_was_paid(caller: Caller, book: SqliteSpend) -> None:
    """The bound is corrected by usage, streamed or not."""
    ceilings = Ceilings(Ceiling(dollars=1, period="ever"), book=book)
    caller.ask(ceilings)
    caller.stream(ceilings)
    assert book.spent(ALL).dollars == pytest.approx(caller.sim.cost)


def test_nothing_is_sent_that_might_pass_a_ceiling(caller: Caller, book: SqliteSpend) -> None:
    """The error names the account and what was needed; nothing was booked."""
    with pytest.raises(errors.CeilingReached) as caught:
        caller.ask(Ceilings(Ceiling(dollars=0.000_01, period="ever"), book=book))
    assert (caught.value.scope, caller.sim.messages, book.spent(ALL)) == ("all", [], Charge())


@pytest.mark.parametrize(("fault", "free"), [(Overloaded(), True), (ConnectionLost(billed=True), False)])
def test_a_failure_costs_what_it_may_have_cost(caller: Caller, book: SqliteSpend, fault: Any, free: bool) -> None:
    """An error response is free; what was lost on the way stays booked."""
    caller.sim.faults.fail_next(fault)
    with pytest.raises(anthropic.APIError):
        caller.ask(Ceilings(Ceiling(dollars=1, period="ever"), book=book))
    assert (book.spent(ALL).dollars == 0) == free
    assert book.spent(ALL).dollars >= caller.sim.cost


def test_a_cheaper_model_takes_over(caller: Caller, book: SqliteSpend) -> None:
    """Where the caller named one, the request goes there if that fits."""
    bound = 1.2e-3
    reply = caller.ask(Ceilings(Ceiling(dollars=bound, period="ever"), book=book, over="claude-haiku-4-5"),
                       model="claude-opus-5-5", max_tokens=100)  # fmt: skip
    assert reply.model == "claude-haiku-4-5"


def test_a_callback_decides(caller: Caller, book: SqliteSpend) -> None:
    """True lets it pass; what it was asked says what is spent and needed."""
    asked: list[Over] = []

    def allow(over: Over) -> bool:
        asked.append(over)
        return True

    assert caller.ask(Ceilings(Ceiling(dollars=0, period="ever"), book=book, over=allow))
    assert "ceiling of all" in str(asked[0])
    assert book.spent(ALL).dollars == pytest.approx(caller.sim.cost)


def test_alerts_tell_each_share_once(caller: Caller, book: SqliteSpend) -> None:
    """However many requests pass it, in however many objects."""
    told: list[str] = []
    caller.ask(Ceilings(Ceiling(tokens=1_000_000, period="ever"), book=book))
    spent = book.spent(ALL).tokens
    for _ in range(8):
        ceilings = Ceilings(
            Ceiling(tokens=5 * spent + 1_200, period="ever"), book=book, alert=told.append, shares=(0.1,)
        )
        with _perhaps():
            caller.ask(ceilings)
    assert len(told) == 1 and "10%" in told[0]


class _perhaps:  # noqa: N801 - a context
    def __enter__(self) -> None: ...
    def __exit__(self, kind: Any, *_: object) -> bool:
        return kind is errors.CeilingReached


def test_a_conversation_keeps_them_in_its_own_file(tmp_path: Path) -> None:
    """The turn stays pending; a higher ceiling lets `retry` send it."""
    path = tmp_path / "chats.db"
    with Conversation(path, id="a", client="simulator", max_tokens=50, ceilings=Ceiling(dollars=1e-5)) as chat:
        with pytest.raises(errors.CeilingReached) as caught:
            chat.send("Hello")
        assert caught.value.state == "pending"
    ceiling = Ceiling(dollars=1.0, per="conversation", period="ever")
    with Conversation(path, id="a", client="simulator", max_tokens=50, ceilings=[ceiling]) as chat:
        reply = chat.retry()
    account = Account(scope="conversation", key="a", period="ever", dollars=None, tokens=None)
    with SqliteStoreContext(path) as store:
        assert store.spend.spent(account).dollars == pytest.approx(reply.cost)


class SqliteStoreContext:
    """A store that is closed."""

    def __init__(self, path: Path) -> None:
        self.store = SqliteStore(path)

    def __enter__(self) -> SqliteStore:
        return self.store

    def __exit__(self, *_: object) -> None:
        self.store.close()


def test_a_conversation_goes_on_with_a_cheaper_model() -> None:
    """The record knows of it, and the note says so."""
    ceilings = Ceilings(Ceiling(dollars=0.0015, period="ever"), over="claude-haiku-4-5")
    with Conversation(client="simulator", model="claude-opus-5-5", max_tokens=100, ceilings=ceilings) as chat:
        reply = chat.send("Hello")
        assert reply.message.model == "claude-haiku-4-5"
        assert "cheaper" in reply.notes[0]
        assert chat.request(reply.number).intact


def test_a_book_that_fails_afterwards_costs_nobody_their_reply(caller: Caller, book: SqliteSpend) -> None:
    """The bound stays booked, and the log says so."""

    class Failing:
        def book(self, accounts: Any, charge: Charge) -> Any:
            return book.book(accounts, charge)

        def correct(self, accounts: Any, by: Charge) -> Any:  # noqa: ARG002
            raise errors.StoreUnavailable("the disk is full", path="")

        def first(self, alert: str, at: float) -> bool:
            return book.first(alert, at)

    ceilings = Ceilings(Ceiling(dollars=1, period="ever"), book=Failing())
    assert caller.ask(ceilings)
    caller.stream(ceilings)
    assert book.spent(ALL).dollars > caller.sim.cost


def test_many_threads_never_pass_a_ceiling_together(book: SqliteSpend) -> None:
    """Booking is atomic: the sum of all that was let through stays below, and so does the bill."""
    sim = simulator.Simulator()
    ceilings = Ceilings(Ceiling(dollars=0.01, period="ever"), book=book)

    def work() -> None:
        with sim.client(middleware=[ceilings], max_retries=0) as client:
            for _ in range(5):
                with _perhaps():
                    client.messages.create(
                        model="claude-sonnet-5-5", max_tokens=100, messages=[{"role": "user", "content": "Hello"}]
                    )

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 0 < sim.cost <= 0.01
    assert book.spent(ALL).dollars == pytest.approx(sim.cost)
