"""The laws of DESIGN over any walk: see `walks.Walk.check`."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from strategies import BUDGETS, SYSTEMS, WINDOWS, walks
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
}
"""Walks that once broke a law."""


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


@pytest.mark.parametrize("window", sorted(WINDOWS))
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(budget=st.sampled_from(BUDGETS), system=st.sampled_from(SYSTEMS), steps=walks)
def test_any_walk_keeps_the_laws(window: str, budget: int, system: str | None, steps: list[tuple[Any, ...]]) -> None:
    """Whatever is done in whatever order: bodies rebuild, views grow, requests are legal, nothing recorded is lost."""
    walk(WINDOWS[window], budget, system, steps)


@pytest.mark.nightly
@pytest.mark.parametrize("window", sorted(WINDOWS))
@settings(max_examples=1_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(budget=st.sampled_from(BUDGETS), system=st.sampled_from(SYSTEMS), steps=walks)
def test_thousands_of_walks_keep_the_laws(
    window: str, budget: int, system: str | None, steps: list[tuple[Any, ...]]
) -> None:
    """The same, for a night."""
    walk(WINDOWS[window], budget, system, steps)


@pytest.mark.parametrize("name", sorted(FOUND))
def test_a_walk_that_once_broke_a_law_keeps_it(name: str) -> None:
    """What was found and mended stays mended."""
    window, steps = FOUND[name]
    walk(WINDOWS[window], 8_000, "Be brief.", steps)
