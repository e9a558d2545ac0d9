"""What every store must do so that one call at a time writes to a conversation, in order of arrival."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lines import another, lose_places, ticket
from recording import Recorder
from sash import MemoryStore
from sash.errors import NotFound
from sash.model.leases import Place, Ticket


def test_who_comes_first_is_first(record: Recorder) -> None:
    """Each sees how many came before it; when the first leaves, all move up."""
    leases, (one, two, three) = record.store.leases, [ticket(record.key) for _ in range(3)]
    assert [leases.enter(each).ahead for each in (one, two, three)] == [0, 1, 2]
    leases.leave(one)
    assert [leases.place(each).ahead for each in (two, three)] == [0, 1]
    leases.leave(three)
    leases.leave(two)
    assert leases.enter(ticket(record.key)).ahead == 0


def test_who_is_not_in_line_may_leave_it(record: Recorder) -> None:
    """Leaving twice, or without having come, changes nothing for the others."""
    with another(record.store, record.key) as theirs:
        for _ in range(2):
            record.store.leases.leave(ticket(record.key))
        assert record.store.leases.place(theirs) == Place(ahead=0)


def test_each_conversation_has_a_line_of_its_own(record: Recorder) -> None:
    """A writer of one conversation keeps nobody from another one, of the same name in another namespace included."""
    with another(record.store, record.key):
        for elsewhere in (record.head_of("b"), record.head_of("a", "other")):
            mine = ticket(elsewhere.conversation)
            assert record.store.leases.enter(mine).ahead == 0
            record.store.leases.leave(mine)


def test_a_caller_is_told_that_it_would_wait_for_itself(record: Recorder) -> None:
    """Only of calls ahead of it, and only of its own."""
    leases = record.store.leases
    first, second, third = (ticket(record.key, caller) for caller in ("one", "two", "one"))
    assert leases.enter(first) == Place(ahead=0)
    assert leases.enter(second) == Place(ahead=1)
    assert leases.enter(third) == Place(ahead=2, own=True)
    assert leases.place(first) == Place(ahead=0)
    leases.leave(first)
    assert leases.place(third) == Place(ahead=1)


def test_a_caller_within_another_ones_function_would_wait_for_that_one(record: Recorder) -> None:
    """It is told so; two within the same function wait for each other."""
    leases = record.store.leases
    leases.enter(outer := ticket(record.key, "one"))
    inner, beside = (replace(ticket(record.key, caller), within=("one",)) for caller in ("two", "three"))
    assert leases.enter(inner) == Place(ahead=1, own=True)
    leases.leave(outer)
    assert leases.enter(beside) == Place(ahead=1)


def test_a_place_that_ran_out_is_void(record: Recorder) -> None:
    """Whoever asks next is first; who had lost the place stands last when it asks again."""
    leases, (one, two) = record.store.leases, [ticket(record.key) for _ in range(2)]
    leases.enter(one)
    lose_places(record.store)
    assert leases.enter(two) == Place(ahead=0)
    assert leases.place(one).ahead == 1


def test_what_is_held_is_renewed(record: Recorder) -> None:
    """A renewal reaches who holds and who waits, and nobody who left."""
    leases, (one, two, gone) = record.store.leases, [ticket(record.key) for _ in range(3)]
    for each in (one, two, gone):
        leases.enter(each)
    leases.leave(gone)
    lose_places(record.store, renewed=True)
    assert leases.renew()
    assert [leases.place(each).ahead for each in (one, two)] == [0, 1]
    for each in (one, two):
        leases.leave(each)
    assert not leases.renew()


def test_a_deleted_conversation_has_no_line(record: Recorder) -> None:
    """Deleting takes the line along; whoever still asks is told."""
    mine = ticket(record.key)
    record.store.leases.enter(mine)
    record.store.delete("a")
    for ask in (record.store.leases.enter, record.store.leases.place):
        with pytest.raises(NotFound):
            ask(mine)
    record.store.leases.leave(mine)


MOVES = st.lists(st.tuples(st.sampled_from(["enter", "leave", "place", "lose"]), st.integers(0, 3)), max_size=30)


@given(MOVES)
def test_at_most_one_is_first(moves: list[tuple[str, int]]) -> None:
    """Whoever comes, leaves or sleeps: of those who asked since the last loss, one at most was told to be first."""
    record = Recorder(MemoryStore())
    leases, tickets = record.store.leases, [ticket(record.key) for _ in range(4)]
    line: list[Ticket] = []
    for move, which in moves:
        mine: Any = tickets[which]
        if move == "lose":
            lose_places(record.store)
            line.clear()
        elif move == "leave":
            leases.leave(mine)
            line = [one for one in line if one != mine]
        elif move == "place" or mine not in line:
            if mine not in line:
                leases.leave(mine)
                leases.enter(mine)
                line.append(mine)
            assert leases.place(mine).ahead == line.index(mine)
    record.store.close()
