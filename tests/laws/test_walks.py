"""The laws over whatever a user does, in whatever order: see `walks.Walk.check`."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from strategies import BUDGETS, SYSTEMS, WINDOWS, operations
from walks import Walk

FOUND: dict[str, tuple[Any, list[tuple[Any, ...]]]] = {
    "retry behind a rejected turn": (
        "stepped",
        [("send",), ("rate_limited",), ("rejected",), ("retry",), ("send",)],
    ),
    "retry that is refused": (
        "stepped",
        [("send",), ("rate_limited",), ("retry_refused",), ("send",)],
    ),
    "a pinned exchange that goes on behind a withdrawn question": (
        "sliding, turns",
        [("call_tool", False), ("refused",), ("send",), ("pin", 0), ("send",), ("send",), ("change_system",)],
    ),
    "a pinned open call, and all behind it withdrawn": (
        "sliding, one turn",
        [("call_tool", False), ("pin", 0), ("rejected",), ("send",), ("restart",), ("send",)],
    ),
    "a pin on one branch, seen from another": (
        "sliding, tokens",
        [
            *[("send",), ("send",), ("send",), ("pin", 4), ("edit", 0), ("call_tool", False)],
            *[("send",), ("pin", 0), ("send", 400), ("send", 400), ("send", 400)],
        ],
    ),
    "a block that ends on what the user said, for the reply was nothing but thinking": (
        "server compaction at every turn",
        [("stopped",), ("change_system",), ("send", 3)],
    ),
    "many pending turns withdrawn at once": (
        "everything",
        [("send",), *[("rate_limited",)] * 12, ("dry_run",), ("withdraw",), ("send",), ("send",)],
    ),
    "an old pending turn, answered or rejected late": (
        "everything",
        [("rate_limited",), *[("rejected",)] * 10, ("retry",), ("rate_limited",), ("retry_rejected",), ("send",)],
    ),
    "thinking recorded from elsewhere": (
        "stepped, own marks",
        [("hear_elsewhere", True), ("hear_elsewhere", True), ("send",)],
    ),
    "thinking recorded from elsewhere, asked again behind it": (
        "everything",
        [("stream_left", 3), ("hear_elsewhere", False), ("send",), ("regenerate",), ("send",)],
    ),
    "said elsewhere while calls stand open": (
        "stepped, own marks",
        [("run_tools", 4, 120, 1), ("hear_elsewhere", True), ("send",)],
    ),
    "a run that outgrows the budget, and then a send that names no tools": (
        "stepped",
        [("run_tools", 6, 400), ("run_tools", 6, 400), ("send",), ("run_tools", 6, 400), ("stopped",)],
    ),
    "a run that outgrows the budget under a way of thinking that does not go with dropped blocks": (
        "economic",
        [("change_model", 0, 1), ("send", 600), ("run_tools", 1, 1_500, 5)],
    ),
    "results at once that are too large together": (
        "economic",
        [
            *[("send",), ("call_tools", [True] * 3, 3_000), ("send",), ("restart",), ("call_tools", [True], 9_000)],
            *[("rate_limited",), ("retry",), ("call_tools", [True] * 3, 3_000), ("change_system",), ("send", 400)],
        ],
    ),
    "a paused reply given up at its second piece": (
        "sliding, budget",
        [("send",), ("paused",), ("rejected",), ("stream_cut", 6, "error"), ("send",)],
    ),
}
"""Walks that once broke a law."""


STEPS = 12
QUICK = (Phase.explicit, Phase.reuse, Phase.generate)
"""Walks are short as they are found; making them shorter takes minutes."""


class Machine(RuleBasedStateMachine):
    """One conversation and its forks under one strategy; every operation is followed by all laws."""

    window: Any

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.walk: Walk | None = None

    @initialize(budget=st.sampled_from(BUDGETS) | st.integers(900, 40_000), system=st.sampled_from(SYSTEMS))
    def begin(self, budget: int, system: str | None) -> None:
        """Open a conversation."""
        path = Path(self.folder.name) / "walk.db"
        self.walk = Walk(path, self.window, budget=budget, keep=budget // 4, system=system)

    @rule(operation=operations)
    def do(self, operation: tuple[Any, ...]) -> None:
        """One thing, and what must hold after it."""
        assert self.walk is not None
        name, *arguments = operation
        getattr(self.walk, name)(*arguments)
        self.walk.check()

    def teardown(self) -> None:
        """Close and forget."""
        if self.walk is not None:
            self.walk.close()
        self.folder.cleanup()


def run(window: str, examples: int) -> None:
    """So many walks under a strategy."""
    machine = type("Machine", (Machine,), {"window": WINDOWS[window]})
    run_state_machine_as_test(
        machine, settings=settings(max_examples=examples, stateful_step_count=STEPS, phases=QUICK)
    )


@pytest.mark.parametrize("window", sorted(WINDOWS))
def test_any_walk_keeps_the_laws(window: str) -> None:
    """Whatever is done in whatever order: bodies rebuild, views grow, requests are legal, nothing recorded is lost."""
    run(window, 40)


@pytest.mark.nightly
@pytest.mark.parametrize("window", sorted(WINDOWS))
def test_thousands_of_walks_keep_the_laws(window: str) -> None:
    """The same, for a night."""
    run(window, 1_000)


@pytest.mark.parametrize("name", sorted(FOUND))
def test_a_walk_that_once_broke_a_law_keeps_it(name: str) -> None:
    """What was found and mended stays mended."""
    window, steps = FOUND[name]
    walk(WINDOWS[window], 8_000, "Be brief.", steps)


def walk(window: Any, budget: int, system: str | None, steps: list[tuple[Any, ...]]) -> None:
    """Take the steps, checking all laws after each."""
    with tempfile.TemporaryDirectory() as folder:
        one = Walk(Path(folder) / "walk.db", window, budget=budget, keep=budget // 4, system=system)
        try:
            for name, *arguments in steps:
                getattr(one, name)(*arguments)
                one.check()
        finally:
            one.close()
