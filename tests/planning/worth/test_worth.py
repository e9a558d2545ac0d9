"""What a tool result is worth: what was used of it, what replaced it, how likely it is needed again."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sash.model.blocks import dumps
from sash.model.turns import Turn
from sash.planning.worth.chance import FRESH, needed_again, worth_of
from sash.planning.worth.ledger import KnownResult, Ledger, ToolCall, entered
from sash.planning.worth.signs import signs, texts_of

PATHS = ("src/app.py", "src/store.py", "notes/todo.md")


def turn(seq: int, role: Any, *blocks: dict[str, Any]) -> Turn:
    """One turn of the record."""
    plain = role == "user" and not any(block["type"] == "tool_result" for block in blocks)
    return Turn(
        id=seq, branch=1, seq=seq, role=role, plain=plain, state="answered", content=dumps(list(blocks)), at=0.0
    )


def call(seq: int, tool: str, **asked: Any) -> Turn:
    """A reply that calls a tool."""
    return turn(seq, "assistant", {"type": "tool_use", "id": f"c{seq}", "name": tool, "input": asked})


def result(seq: int, text: str) -> Turn:
    """The result of the call in the turn before."""
    return turn(seq, "user", {"type": "tool_result", "tool_use_id": f"c{seq - 1}", "content": text})


def said(seq: int, text: str) -> Turn:
    """A reply of text."""
    return turn(seq, "assistant", {"type": "text", "text": text})


steps = st.lists(
    st.tuples(st.sampled_from(["read_file", "edit_file", "say"]), st.sampled_from(PATHS), st.integers(0, 3)),
    max_size=12,
)


def history(chosen: list[tuple[str, str, int]]) -> list[Turn]:
    """A run of calls with their results, and replies of text between."""
    turns = [turn(1, "user", {"type": "text", "text": "Look through it."})]
    for what, path, number in chosen:
        seq = len(turns) + 1
        if what == "say":
            turns += [said(seq, f"See order-{number}."), turn(seq + 1, "user", {"type": "text", "text": "Go on."})]
        else:
            turns += [call(seq, what, path=path), result(seq + 1, f"{path} holds order-{number} and line_{number}")]
    return turns


@given(steps, st.integers(0, 30))
def test_a_ledger_goes_on_from_anywhere(chosen: list[tuple[str, str, int]], at: int) -> None:
    """What is entered in two parts is what is entered at once."""
    turns = history(chosen)
    assert entered(entered(Ledger(), turns[:at]), turns[at:]) == entered(Ledger(), turns)


@given(steps)
def test_every_result_stands_in_the_ledger_once(chosen: list[tuple[str, str, int]]) -> None:
    """One entry for each result, in order, used no earlier than it came and no later than the last reply."""
    turns = history(chosen)
    ledger = entered(Ledger(), turns)
    answers = [one.seq for one in turns if any(block["type"] == "tool_result" for block in one.blocks)]
    assert [one.seq for one in ledger.results] == answers
    assert all(one.step <= one.used <= ledger.step for one in ledger.results)


def test_a_use_counts_for_the_newest_result_that_says_it() -> None:
    """An older one that says the same is not needed for it."""
    turns = [
        call(2, "read_file", path="a.py"),
        result(3, "def order_4711"),
        call(4, "find", what="x"),
        result(5, "order_4711"),
    ]
    older, newer = entered(Ledger(), [*turns, said(6, "It is order_4711.")]).results
    assert (older.used, newer.used) == (1, 3)


def test_the_same_call_again_replaces_the_older_result() -> None:
    """Same tool, same arguments; with other arguments it replaces nothing."""
    turns = [call(2, "read_file", path="a.py"), result(3, "one"), call(4, "read_file", path="b.py"), result(5, "two")]
    first, other, again = entered(Ledger(), [*turns, call(6, "read_file", path="a.py"), result(7, "three")]).results
    assert (first.replaced, other.replaced, again.replaced) == (7, 0, 0)
    assert needed_again(first, 3) < needed_again(other, 3)


def test_a_result_that_says_the_same_repeats_the_older_one() -> None:
    """Whatever was called for it; one that says a part of it, or that tells too little to be known by, does not."""
    file = " ".join(f"order_{n} at src/part_{n}.py" for n in range(20))
    turns = [call(2, "read_file", path="a.py"), result(3, file), call(4, "run", command="cat a.py")]
    older, newer = entered(Ledger(), [*turns, result(5, f"$ cat a.py {file}")]).results
    assert (older.repeated, newer.repeated) == (5, 0)
    assert "says the same (turn 5)" in worth_of([older], 2).why
    half, _ = entered(Ledger(), [*turns, result(5, file[: len(file) // 2])]).results
    assert half.repeated == 0
    short = [
        call(2, "read_file", path="a.py"),
        result(3, "order_1"),
        call(4, "run", command="cat"),
        result(5, "order_1"),
    ]
    assert [one.repeated for one in entered(Ledger(), short).results] == [0, 0]


def test_an_edit_of_its_path_makes_a_result_stale() -> None:
    """What a file held before it was edited is needed less."""
    turns = [call(2, "read_file", path="src/a.py"), result(3, "one"), call(4, "edit_file", path="src/a.py", new="x")]
    (read,) = entered(Ledger(), turns).results
    assert read.changed == 4
    assert "changed since (turn 4)" in worth_of([read], 2).why


@given(st.integers(1, 200), st.integers(0, 200), st.booleans())
def test_the_chance_falls_with_every_reply_that_does_not_use_it(age: int, idle: int, used: bool) -> None:
    """It begins at the share of fresh results, and only falls until the next use."""
    one = KnownResult(
        seq=1, id="c", call=ToolCall(tool="t", asked="{}"), step=1, used=1 + age if used else 1, signs=frozenset()
    )
    now, later = needed_again(one, one.used + idle), needed_again(one, one.used + idle + 1)
    assert 0.0 < later < now <= FRESH


@given(st.lists(st.integers(0, 60), min_size=1, max_size=5))
def test_a_turn_is_needed_where_any_of_its_results_is(idle: list[int]) -> None:
    """Its chance is at least the likeliest result's, and at most their sum."""
    some = [
        KnownResult(seq=1, id="c", call=ToolCall(tool="t", asked="{}"), step=1, used=1 + n, signs=frozenset())
        for n in idle
    ]
    each = [needed_again(one, 61) for one in some]
    assert max(each) - 1e-9 <= worth_of(some, 61).again <= sum(each) + 1e-9


def test_everyday_words_are_no_signs() -> None:
    """Paths, ids and names in code are; words of a sentence are not."""
    found = signs("Please read src/app.py again, order_4711 failed at makeOrder in build-77 because everything stopped")
    assert found == {"src/app.py", "order_4711", "makeOrder", "build-77"}


def test_the_texts_of_a_call_are_those_of_all_its_arguments() -> None:
    """Nested ones, too; numbers as they are written."""
    assert texts_of({"a": ["one", {"b": "two"}], "n": 4711, "yes": True}) == "one\ntwo\n4711"
