"""Conversations lived again: tool runs with the ids that calls have now, instructions, what fits no request."""

from __future__ import annotations

import json
from typing import Any

from lab.conversations import small
from sash import Economic, Everything, lab
from sash.formats import parse
from sash.lab.living import Life
from sash.lab.probing import story
from sash.replay import of_conversation


def called(number: int) -> list[dict[str, Any]]:
    """A call and its result."""
    use = {"type": "tool_use", "id": f"old_{number}", "name": "look", "input": {"n": number}}
    result = {"type": "tool_result", "tool_use_id": f"old_{number}", "content": f"Order {number}: late. " * 30}
    return [{"role": "assistant", "content": [use]}, {"role": "user", "content": [result]}]


RUN = [
    {"role": "system", "content": "Answer in French."},
    {"role": "user", "content": "Which orders are late?"},
    *(message for number in range(3) for message in called(number)),
    {"role": "assistant", "content": "All three."},
    {"role": "user", "content": "Thank you!"},
]


def test_a_tool_run_is_sent_as_it_was() -> None:
    """Every request is sent again, legal under the new ids, with results, replies and instructions as recorded."""
    (recorded,) = parse(json.dumps(RUN), "anthropic")
    told = story("runs", recorded, 0)
    with Life(told, 50_000, {"memory": "none", "strategy": Everything()}) as life:
        assert not list(life.live())
        assert [one.opens for one in life.requests] == [True, False, False, False, True]
        sent = life._simulator.messages
        assert [attempt.status for attempt in sent] == [200] * 5 and "Answer in French." in json.dumps(sent[0].body)
        last = json.dumps(sent[-1].body["messages"])
        assert last.count("Order 2: late.") == 30 and last.count('"tool_result"') == 3 and "old_" not in last
    row = lab.compare(recorded, [Economic(), {"memory": "none"}], budgets=50_000).rows[0]
    assert row.outcome and row.outcome.requests == len(of_conversation(recorded).calls) == 5


def test_what_fits_no_request_is_counted_and_the_rest_goes_on() -> None:
    """An exchange that alone passes the budget is left out, of the conversation and of the bill."""
    turns = small(exchanges=4, questions=False).turns
    large = [{"type": "text", "text": "word " * 2_000}]
    one = [turn if turn.id != "u1" else type(turn)(role="user", content=large, at=turn.at) for turn in turns]
    given = type(small())(id="large", turns=tuple(one))
    row = lab.compare(given, {"summarise": False}, budgets=500).rows[0]
    assert not row.error and row.outcome and (row.outcome.over, row.outcome.requests) == (1, 3)


def test_what_cannot_be_lived_is_a_row_that_says_so() -> None:
    """A conversation of empty words, beside one that is as it would be alone."""
    turn = small(exchanges=1).turns[0]
    empty = type(small())(id="empty", turns=(type(turn)(role="user", content=[{"type": "text", "text": " "}]),))
    found = lab.compare([empty, small(exchanges=2)], {"summarise": False}, budgets=500).rows
    assert "nobody says anything in it" in found[0].error
    assert found[1] == lab.compare(small(exchanges=2), {"summarise": False}, budgets=500).rows[0]
