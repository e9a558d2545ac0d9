"""What is kept from plan to plan changes nothing but the time: every plan of every walk is made without it, too."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import Phase, given
from hypothesis import settings as running
from hypothesis import strategies as st

from sash import check_request
from sash.errors import SashError
from sash.flows.request import attach, prepare
from sash.model.blocks import dumps
from sash.model.counts import Count
from sash.model.turns import Turn
from sash.planning.inputs import Memory, Settings
from sash.planning.judge import Judge
from sash.planning.plan import Plan, make_plan
from sash.planning.rules import VERSION
from sash.planning.shortcuts import Shortcuts
from strategies import WINDOWS, afternoons
from walks import take


def outcome(make: Callable[[], Plan]) -> Plan | str:
    """A plan, or the words of the error in its place."""
    try:
        return make()
    except SashError as error:
        return str(error)


def planned_twice(
    memory: Memory,
    new: Sequence[Turn],
    counts: Mapping[int, Count],
    settings: Settings,
    now: float,
    shortcuts: Shortcuts,
) -> Plan:
    """A plan made with shortcuts, held against the one made without."""
    anew = outcome(lambda: make_plan(memory, new, counts, settings, now))
    quick = outcome(lambda: make_plan(memory, new, counts, settings, now, shortcuts))
    assert quick == anew
    if isinstance(quick, str) or isinstance(anew, str):
        return make_plan(memory, new, counts, settings, now, shortcuts)
    assert dumps(quick.body) == dumps(anew.body)
    assert quick.explain() == anew.explain()
    return quick


class Doubted(Judge):
    """A judge that is held against the rules over the whole."""

    def problems(self, body: Any, *, betas: Any, card: Any, version: str = VERSION) -> Any:
        """Their common verdict."""
        found = super().problems(body, betas=betas, card=card, version=version)
        assert found == check_request(body, betas=betas, card=card, version=version)
        return found


@pytest.fixture
def _doubted() -> Iterator[None]:
    with (
        patch.object(prepare, "make_plan", planned_twice),
        patch.object(attach, "make_plan", planned_twice),
        patch("sash.planning.shortcuts.Judge", Doubted),
    ):
        yield


@pytest.mark.usefixtures("_doubted")
@pytest.mark.parametrize("window", sorted(WINDOWS))
@running(max_examples=3, phases=[Phase.explicit, Phase.generate])
@given(data=st.data())
def test_any_walk_is_planned_and_judged_alike_with_and_without_shortcuts(window: str, data: st.DataObject) -> None:
    """Plans, bodies byte by byte, explanations and verdicts are the same."""
    take(data.draw(afternoons(window), label="walk"))
