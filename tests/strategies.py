"""Hypothesis generators: window strategies, the operations of a walk, and whole walks with their settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from hypothesis import strategies as st

from sash import Recall
from sash.planning import strategies as windows

WINDOWS: dict[str, Any] = {
    "everything": windows.Everything(),
    "sliding, budget": windows.SlidingWindow(),
    "sliding, tokens": windows.SlidingWindow(tokens=700),
    "sliding, turns": windows.SlidingWindow(turns=2),
    "sliding, one turn": windows.SlidingWindow(turns=1),
    "stepped": windows.SteppedWindow(),
    "stepped, own marks": windows.SteppedWindow(keep=300, high=1_000),
    "server compaction": windows.ServerCompaction(),
    "server compaction at every turn": windows.ServerCompaction(inner=windows.SlidingWindow(turns=2), tokens=100),
    "summarised": windows.Summarised(),
    "summarised, forced": windows.Summarised(inner=windows.SteppedWindow(keep=200, high=700), tokens=100, ahead=False),
    "summarised, warm": windows.Summarised(tokens=100, warm=True),
}
"""Every strategy the tests run over; those that are exported and not named here come with their defaults."""

for _name in windows.__all__:
    _class = getattr(windows, _name)
    if isinstance(_class, type) and not any(type(window) is _class for window in WINDOWS.values()):
        WINDOWS[_name.lower()] = _class()

BUDGETS = (1_500, 3_000, 8_000, 32_000)
LONG = "You keep the harbour books and answer for every crate. " * 60
RECALLS = [Recall(tokens=100), Recall(tokens=500)]
SYSTEMS = (None, "Be brief.", LONG)

sizes = st.sampled_from([3, 20, 120, 400])
places = st.integers(0, 60)
cuts = st.sampled_from(["silent", "error", "lost"])


def _operation(name: str, *arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.tuples(st.just(name), *arguments)


operations = st.one_of(
    _operation("send", sizes),
    _operation("send", sizes),
    _operation("stream", sizes),
    _operation("ask_to_hold", st.integers(0, 8)),
    _operation("rate_limited"),
    _operation("overloaded"),
    _operation("key_refused"),
    _operation("rejected"),
    _operation("refused"),
    _operation("stopped"),
    _operation("stream_cut", st.integers(0, 12), cuts),
    _operation("stream_left", st.integers(0, 9)),
    _operation("call_tool", st.booleans()),
    _operation("answer_call"),
    _operation("call_tools", st.lists(st.booleans(), min_size=1, max_size=3), st.sampled_from([25, 400, 3_000])),
    _operation("calls_overloaded", st.lists(st.booleans(), min_size=1, max_size=2)),
    _operation("run_tools", st.integers(1, 6), sizes),
    _operation("run_tools", st.integers(1, 4), sizes, st.integers(1, 6)),
    _operation("die", st.sampled_from(["requests.begin", "requests.finish"]), sizes),
    _operation("die_and_change", st.sampled_from(["requests.begin", "requests.finish"]), st.booleans(), st.booleans()),
    _operation("show", st.integers(0, 2)),
    _operation("instruct"),
    _operation("change_model", st.integers(0, 4), st.integers(0, 2)),
    _operation("no_tools"),
    _operation("paused"),
    _operation("window_full"),
    _operation("hear_elsewhere", st.booleans()),
    _operation("change_system_in_a_tool_run"),
    _operation("fork", places),
    _operation("edit", places),
    _operation("say_again", places),
    _operation("regenerate"),
    _operation("retry"),
    _operation("withdraw"),
    _operation("pin", places, st.booleans()),
    _operation("redact", places),
    _operation("change_system"),
    _operation("restart"),
    _operation("another_sends", sizes),
    _operation("no_summary", st.integers(0, 4), sizes),
    _operation("wait", st.sampled_from([1, 100, 301, 4_000])),
    _operation("dry_run"),
)
"""One thing a user does: a method of `walks.Walk` and its arguments."""

users_own = st.one_of(
    _operation("turn_to", st.integers(0, 4)),
    _operation("turn_to", st.integers(0, 4)),
    _operation("tell", st.integers(0, 9)),
    _operation("tell", st.integers(0, 9)),
    _operation("ask_about_me"),
    _operation("set_in_profile", st.integers(0, 9)),
    _operation("remove_from_profile", places),
    _operation("delete", places),
    _operation("forget_user", st.booleans()),
)
"""What is done where conversations belong to users."""
with_users = st.booleans().flatmap(lambda own: users_own if own else operations)
"""Half of it that, so that they meet."""

walks = st.lists(operations, min_size=1, max_size=14)
walks_with_users = st.lists(with_users, min_size=1, max_size=14)


@dataclass(frozen=True, repr=False)
class Afternoon:
    """A whole walk: who takes it, under which settings, and its steps."""

    window: str
    """a key of `WINDOWS`"""
    steps: Sequence[tuple[Any, ...]]
    budget: int = 8_000
    system: str | None = "Be brief."
    recall: Recall | None = None
    memo: bool = False
    fallback: bool = False
    keys: bool = False
    users: bool = False
    """conversations belong to users, of whom all is remembered"""

    def __repr__(self) -> str:
        shown = [f"{f.name}={self._shown(f.name)}" for f in fields(self)[2:] if getattr(self, f.name) != f.default]
        return f"Afternoon({', '.join([repr(self.window), repr(list(self.steps)), *shown])})"

    def _shown(self, name: str) -> str:
        value = getattr(self, name)
        return "LONG" if value == LONG else repr(value)


def afternoons(window: str) -> st.SearchStrategy[Afternoon]:
    """Walks under one strategy. Most of what can be switched on is off, so that each is met alone and with others."""
    return st.booleans().flatmap(lambda users: _afternoons(window, users=users))


def _afternoons(window: str, *, users: bool) -> st.SearchStrategy[Afternoon]:
    seldom = st.sampled_from([False, False, False, True])
    return st.builds(
        Afternoon,
        window=st.just(window),
        steps=walks_with_users if users else walks,
        users=st.just(users),
        budget=st.sampled_from(BUDGETS) | st.integers(900, 40_000) | st.integers(900, 3_000),
        system=st.sampled_from(SYSTEMS),
        recall=st.sampled_from([None, None, None, *RECALLS]),
        memo=seldom,
        fallback=seldom,
        keys=seldom,
    )
