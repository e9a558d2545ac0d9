"""What calls need of what was said before: found by rule, and never made up."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sash.model.references import MANY, Holder, held, holds, needs, values_of

Message = tuple[str, list[dict[str, Any]]]


def said(text: str) -> Message:
    """A user's words."""
    return "user", [{"type": "text", "text": text}]


def call(id: str, **arguments: Any) -> Message:
    """A reply that calls a tool."""
    return "assistant", [{"type": "tool_use", "id": id, "name": "tool", "input": arguments}]


def result(id: str, content: Any) -> Message:
    """What the tool answered."""
    return "user", [{"type": "tool_result", "tool_use_id": id, "content": content}]


HISTORY = [
    said("Please cancel my booking."),
    call("a", name="Sara Doe"),
    result("a", '{"booking": "EHG1P3", "paid": 1499.5, "cabin": "economy"}'),
    call("b", booking="EHG1P3", refund=1499.5, cabin="economy", note="XX99 is made up"),
]


def test_a_call_needs_what_an_earlier_result_told_it() -> None:
    """Ids and numbers of arguments that stand in an earlier result are needed from there."""
    found = {need.value: need for need in needs(HISTORY)}
    assert set(found) == {"EHG1P3", "1499.5"}
    assert found["EHG1P3"].result == Holder(message=2, result="a")
    assert (found["EHG1P3"].message, found["EHG1P3"].call) == (3, "b")


def test_what_a_person_said_is_needed_from_no_result() -> None:
    """Where something else than a result says the value too, no result is needed for it."""
    (need,) = needs([said("It is order X-1138."), call("a", of="me"), result("a", "X-1138"), call("b", order="X-1138")])
    assert [place.message for place in need.places] == [0, 2]
    assert need.result is None


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            {"command": "sed -n 9p src/main.py | head"},
            {"src/main.py", "sed -n 9p src/main.py | head"},
        ),
        ({"path": "/srv/app"}, {"/srv/app"}),
        ({"order": 4711, "sure": True, "much": 7}, {"4711"}),
        ({"query": "say 'the blue door' twice"}, {"the blue door", "say 'the blue door' twice"}),
        ({"cabin": "economy", "ids": ["ab12", "c3"]}, {"ab12"}),
        ({"old": "x = 1\n    return self.total_of(rows)\n}"}, {"return self.total_of(rows)"}),
        ({"at": "2024-05-20"}, {"2024-05-20"}),
        ({"to": "ann@example.org, soon"}, {"ann@example.org", "ann@example.org, soon"}),
    ],
)
def test_values_are_paths_ids_numbers_quotations_and_lines(arguments: dict[str, Any], expected: set[str]) -> None:
    """Short values and single ordinary words are none, nor are names of fields."""
    assert values_of(arguments) == expected


ids = st.from_regex(r"[a-z]{2}[0-9]{3,6}", fullmatch=True)
texts = st.lists(ids, max_size=4).map(" ".join)
steps = st.lists(st.tuples(texts, texts), max_size=8)


def lived(given_steps: list[tuple[str, str]]) -> list[Message]:
    """Calls with these arguments, and their results."""
    return [m for n, (asked, told) in enumerate(given_steps) for m in (call(str(n), of=asked), result(str(n), told))]


@given(steps)
def test_a_need_rests_on_what_came_before_it_alone(some: list[tuple[str, str]]) -> None:
    """The needs of a history's beginning are the beginning of its needs."""
    history = lived(some)
    for cut in range(len(history)):
        assert needs(history[:cut]) == tuple(need for need in needs(history) if need.message < cut)


@given(steps)
def test_no_need_is_made_up(some: list[tuple[str, str]]) -> None:
    """Whatever is needed stands in the call, and as a whole in every place that is named, all of them earlier."""
    history = lived(some)
    for need in needs(history):
        assert need.value in history[need.message][1][0]["input"]["of"]
        assert need.places
        for place in need.places:
            block = history[place.message][1][0]
            assert place.message < need.message
            assert holds(block["content"] if place.result else block["input"]["of"], need.value)


def test_what_stands_in_the_calls_own_message_alone_is_not_needed() -> None:
    """Text beside the call, and another call in the same reply, say nothing earlier."""
    text = {"type": "text", "text": "I will look at ab1234."}
    calls = [call(id, of="ab1234")[1][0] for id in "xy"]
    assert needs([said("Go on."), ("assistant", [text, *calls])]) == ()


def test_a_value_that_most_messages_hold_is_common() -> None:
    """It is needed while few messages hold it, and no longer once more than a fifth do."""
    rare = [said("in /srv/app"), *(said(f"word {n}") for n in range(MANY)), call("a", path="/srv/app")]
    often = [*(said("in /srv/app") for _ in range(MANY)), call("a", path="/srv/app")]
    assert [need.value for need in needs(rare)] == ["/srv/app"]
    assert needs(often) == ()


@pytest.mark.parametrize(
    ("text", "value", "found"),
    [
        ("order 41138", "1138", False),
        ("order 1138.", "1138", True),
        ("41138, 1138", "1138", True),
        ("x_ab", "ab", False),
    ],
)
def test_a_value_stands_as_a_whole(text: str, value: str, found: bool) -> None:
    """No word may go on over its ends."""
    assert holds(text, value) is found


def test_a_view_tells_a_value_or_how_to_read_it_again_or_neither() -> None:
    """Verbatim; a placeholder beside its call, or one that names how; or nothing: three answers."""
    need = next(need for need in needs(HISTORY) if need.value == "EHG1P3")
    views = {
        "whole": [blocks for _, blocks in HISTORY[:3]],
        "placeholder": [HISTORY[1][1], result("a", "[cleared]")[1]],
        "without arguments": [call("a")[1], result("a", "[cleared]")[1]],
        "read again": [call("a")[1], result("a", "[cleared: recall_result with tool_use_id a reads it]")[1]],
        "gone": [HISTORY[0][1]],
    }
    assert {name: held(need, view) for name, view in views.items()} == {
        "whole": "verbatim",
        "placeholder": "handle",
        "without arguments": "missing",
        "read again": "handle",
        "gone": "missing",
    }
