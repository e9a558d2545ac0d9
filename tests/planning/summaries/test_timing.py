"""Whether to make a summary before a cut needs it: by what the next request may do, and what that is worth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from sash import Summarised
from sash.model.replies import Reply
from sash.model.summaries import Trouble
from sash.planning.plan import Plan
from sash.planning.summaries.timing import ahead
from summarising import Talker

OWN = Summarised(tokens=500)


@pytest.fixture(scope="module")
def replies() -> Iterator[list[Reply]]:
    """A conversation that grows towards its budget of 3,000 tokens, without a summary."""
    talker = Talker(None, Summarised(tokens=500, ahead=False, wait=False))
    found = [talker.say() for _ in range(60)]
    first = next(at for at, reply in enumerate(found) if reply.plan.cut and at)
    yield found[:first]
    talker.close()


def first_wish(replies: list[Reply], own: Summarised, **seen: Any) -> int:
    """After how many replies a summary is worth making; one more than there are if never."""
    for at, reply in enumerate(replies):
        if ahead(knowing(reply.plan, **seen), reply.usage, own) is not None:
            return at
    return len(replies)


def knowing(plan: Plan, **seen: Any) -> Plan:
    """The plan, with other facts in its situation."""
    return replace(plan, situation=replace(plan.situation, **seen))


def test_it_is_made_before_the_budget_forces_a_cut(replies: list[Reply]) -> None:
    """Not from the beginning, but with the last reply before the cut at the latest; it covers what would leave."""
    assert 0 < first_wish(replies, OWN) < len(replies)
    wish = ahead(replies[-1].plan, replies[-1].usage, OWN)
    assert wish is not None
    assert wish.upto in {exchange.last for exchange in replies[-1].plan.situation.exchanges}
    assert replies[-1].plan.situation.kept(0) > 600


def test_it_is_made_the_earlier_the_more_may_be_recalled(replies: list[Reply]) -> None:
    """What may be quoted in front of the next question forces a cut as what is said does: the summary is ready then."""
    wishes = [
        next(at for at, one in enumerate(replies) if ahead(one.plan, one.usage, OWN, recalled) is not None)
        for recalled in (0, 400, 800, 5_000)
    ]
    assert wishes == sorted(wishes, reverse=True) and wishes[0] > wishes[2]


def test_a_dearer_summary_is_made_later(replies: list[Reply]) -> None:
    """Its price is weighed against the chance that it is needed."""
    dear = Summarised(tokens=500, by="claude-fable-5", warm=False)
    assert first_wish(replies, OWN) <= first_wish(replies, dear) < len(replies)


def test_what_is_covered_is_not_made_again(replies: list[Reply]) -> None:
    """While the newest summary covers all that could leave, none is made."""
    assert first_wish(replies, OWN, upto=10_000) == len(replies)


def test_none_is_made_ahead_where_that_was_not_asked_for(replies: list[Reply]) -> None:
    """`ahead=False` leaves it to the cut."""
    assert first_wish(replies, Summarised(tokens=500, ahead=False)) == len(replies)


def test_after_a_failure_it_waits_for_its_time(replies: list[Reply]) -> None:
    """While somebody holds the job, or backs off, nothing is begun."""
    never = Trouble(failures=1, retry_at=replies[-1].plan.situation.now + 1_000)
    assert first_wish(replies, OWN, trouble=never) == len(replies)
    assert first_wish(replies, OWN, trouble=Trouble(failures=1, retry_at=0.0)) == first_wish(replies, OWN)


def test_the_same_turns_are_not_tried_for_ever(replies: list[Reply]) -> None:
    """After three failures in a row, not again until other turns would be covered too."""
    usual = first_wish(replies, OWN)
    wish = ahead(replies[usual].plan, replies[usual].usage, OWN)
    assert wish is not None
    later = first_wish(replies, OWN, trouble=Trouble(failures=3, retry_at=0.0, upto=wish.upto))
    assert usual < later < len(replies)
