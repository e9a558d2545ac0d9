"""How often a send goes to the store: counted as the database is told, nothing is timed."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from sash import AsyncConversation, Conversation, Recall
from sash.simulator import Simulator
from sash.stores.postgres import database, transaction, trips

pytestmark = pytest.mark.usefixtures("no_renewals")

MOST_STATEMENTS, MOST_TRANSACTIONS = 20, 3
"""Of a plain send, its place in line included: what begins and ends transactions is counted as these."""
MOST_TRIPS = 10
"""To a server and back, of the same: three transactions, each with what it must know before it goes on, and its end."""
SENDS = {
    "take a place in line": "INSERT INTO leases",
    "what others changed": "SELECT c.version",
    "count the request": "UPDATE conversations SET version = version + 1, requests",
    "the question": "INSERT INTO turns",
    "its gap": "INSERT INTO gaps",
    "the request": "INSERT INTO requests",
    "its size": "INSERT INTO counts",
    "a newer version": "UPDATE conversations SET version = version + 1, dollars",
    "answered": "UPDATE turns SET state",
    "the reply": "INSERT INTO turns",
    "the reply's size": "INSERT INTO counts",
    "the question's size": "INSERT INTO counts",
    "what was learned": "INSERT INTO calibration",
    "the outcome": "UPDATE requests SET",
    "what it used": "INSERT INTO usage_days",
    "leave": "DELETE FROM leases",
}
"""Every statement of a plain send, in their order."""


class Told:
    """What all connections are told that are opened meanwhile. A trigger's statements are noted as the one it is of."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.statements: list[str] = []
        connect = sqlite3.connect

        def traced(*given: Any, **named: Any) -> sqlite3.Connection:
            made: sqlite3.Connection = connect(*given, **named)
            made.set_trace_callback(self._note)
            return made

        monkeypatch.setattr(sqlite3, "connect", traced)

    def _note(self, statement: str) -> None:
        if not statement.startswith("--") and self.statements[-1:] != [statement]:
            self.statements.append(statement)

    @property
    def transactions(self) -> int:
        """How many were begun."""
        return sum(one.startswith("BEGIN") for one in self.statements)

    @property
    def asked(self) -> list[str]:
        """All but what begins and ends transactions."""
        return [one for one in self.statements if one.split()[0] not in ("BEGIN", "COMMIT", "ROLLBACK")]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    """What SQLite is told from now on."""
    return Told(monkeypatch)


def held(told: Told) -> None:
    """The statements are those of a plain send, and no others."""
    assert told.transactions == MOST_TRANSACTIONS, told.statements
    asked = [one for one in told.asked if not one.startswith("PRAGMA")]
    assert len(told.asked) <= MOST_STATEMENTS, told.asked
    assert [one for one, way in zip(asked, SENDS.values(), strict=True) if not one.startswith(way)] == []


def test_a_plain_send_takes_three_transactions(sim: Simulator, tmp_path: Path, told: Told) -> None:
    """From its place in line to its reply, a send that opens no epoch makes these statements and no others."""
    with Conversation(tmp_path / "a.db", id="a", client=sim.client()) as chat:
        for number in range(3):
            chat.send(f"I say this in the message number {number}.")
        told.statements.clear()
        chat.send("The order is the one of last week.")
        held(told)


def test_the_send_after_the_first_reads_nothing_again(sim: Simulator, tmp_path: Path, told: Told) -> None:
    """What the first request of a conversation makes of its window is known when it is answered."""
    said = [{"role": "user", "content": "The lamps are late."}, {"role": "assistant", "content": "I am sorry."}]
    for name, before in (("new", []), ("imported", said)):
        with Conversation(tmp_path / "a.db", id=name, client=sim.client()) as chat:
            chat.extend(before)
            chat.send("I say this first.")
            told.statements.clear()
            chat.send("The order is the one of last week.")
            assert told.transactions == MOST_TRANSACTIONS, told.statements
            assert [one for one in told.asked if "FROM turns" in one and one.startswith("SELECT")] == []


def test_where_a_conversation_stands_is_read_once_to_open_it_and_to_plan(
    sim: Simulator, tmp_path: Path, told: Told
) -> None:
    """The first plan of a conversation that was just opened asks for no newest turn and no epoch again."""
    path, client = tmp_path / "a.db", sim.client()
    with Conversation(path, id="a", client=client) as chat:
        chat.send("I say this first.")
    told.statements.clear()
    with Conversation(path, id="a", client=client) as chat:
        chat.plan("The order is the one of last week.")
    for beginning in ("SELECT c.id, c.owner", "SELECT e.*"):
        assert sum(one.startswith(beginning) for one in told.asked) == 1, told.asked


def test_a_plain_async_send_takes_three_transactions(sim: Simulator, tmp_path: Path, told: Told) -> None:
    """So does one that is awaited."""

    async def main() -> None:
        async with AsyncConversation(tmp_path / "a.db", id="a", client=sim.async_client()) as chat:
            for number in range(3):
                await chat.send(f"I say this in the message number {number}.")
            told.statements.clear()
            await chat.send("The order is the one of last week.")
            held(told)

    asyncio.run(main())


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What PostgreSQL is asked from now on, trip by trip."""
    found: list[list[str]] = []

    def traced(connection: Any, statements: Any) -> Any:
        found.append([statement for statement, _ in statements])
        return trips.in_one_trip(connection, statements)

    monkeypatch.setattr(transaction, "in_one_trip", traced)
    monkeypatch.setattr(database, "in_one_trip", traced)
    return found


def test_a_plain_send_goes_to_a_server_and_back_ten_times(
    sim: Simulator, postgres_url: str, asked: list[list[str]]
) -> None:
    """What nobody asks the outcome of goes along with what is asked; the statements are those of a file."""
    with Conversation(postgres_url, id="a", client=sim.client(), memory="none") as chat:
        for number in range(4):
            asked.clear()
            chat.send(f"I say this in the message number {number}.")
    assert len(asked) == MOST_TRIPS, asked
    opening = ("BEGIN", "COMMIT", "SELECT set_config", "SELECT pg_advisory_xact_lock")
    told = [one for trip in asked for one in trip if not one.startswith(opening)]
    assert [one for one, way in zip(told, SENDS.values(), strict=True) if not one.startswith(way)] == []


def test_all_words_of_a_question_are_looked_up_together(
    sim: Simulator, postgres_url: str, asked: list[list[str]]
) -> None:
    """A send that recalls goes to a server and back no more often, however many words it asks for."""
    recall = Recall(tokens=300, semantic=False)
    with Conversation(postgres_url, id="a", client=sim.client(), budget=1_200, keep=200, recall=recall) as chat:
        for number in range(12):
            chat.send(f"Order {number} of green lamps went to Harbour Street by the old mill, number {number}.")
        trips_of = []
        long = "Which green lamps of order 3 went to the old mill by Harbour Street?"
        for question in (long, "Which mill?", long):
            asked.clear()
            assert chat.send(question).plan.attachment is not None
            trips_of.append(len(asked))
    assert trips_of[1] >= trips_of[2], trips_of


def test_others_that_write_elsewhere_cost_one_look(sim: Simulator, tmp_path: Path, told: Told) -> None:
    """Who writes to another conversation of the file makes a send of this one look whether its turns are all there."""
    path, client = tmp_path / "a.db", sim.client()
    with Conversation(path, id="a", client=client) as chat, Conversation(path, id="b", client=client) as other:
        for number in range(3):
            chat.send(f"I say this in the message number {number}.")
            other.send(f"I say that in the message number {number}.")
        told.statements.clear()
        chat.send("The order is the one of last week.")
        looks = [one for one in told.statements if one.startswith("SELECT count(*) FROM turns")]
        told.statements = [one for one in told.statements if one not in looks]
        assert len(looks) == 1
        held(told)


def test_what_another_wrote_is_read(sim: Simulator, tmp_path: Path) -> None:
    """A turn that another object wrote to the same conversation is in the next request."""
    path, client = tmp_path / "a.db", sim.client()
    with Conversation(path, id="a", client=client) as chat, Conversation(path, id="a", client=client) as other:
        chat.send("My order number is 1138.")
        other.send("It never came.")
        plan = chat.plan("What was the number?")
        assert [turn.seq for turn in plan.turns] == [1, 2, 3, 4, 5]
        assert chat.send("What was the number?").number == 3
