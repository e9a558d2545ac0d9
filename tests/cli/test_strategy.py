"""Strategies by text."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.conftest import Run
from sash import Everything, SlidingWindow, SteppedWindow
from sash.cli.strategy import KNOWN, label, parse_strategy
from sash.errors import InvalidOption

MADE = st.one_of(
    st.just(Everything()),
    st.builds(SlidingWindow, tokens=st.integers(1, 10**6)),
    st.builds(SlidingWindow, turns=st.integers(1, 10**6)),
    st.builds(SteppedWindow, keep=st.none() | st.integers(0, 999), high=st.none() | st.integers(1_000, 10**6)),
)


@given(MADE)
def test_repr_and_label_are_understood(strategy: Any) -> None:
    """A strategy is read back from its repr, and from its shorter label."""
    assert parse_strategy(repr(strategy)) == strategy
    assert parse_strategy(label(repr(strategy))) == strategy


@pytest.mark.parametrize("name", KNOWN)
def test_every_strategy_is_known_by_name(name: str) -> None:
    """Each strategy that the library exports can be named bare, with its defaults."""
    assert type(parse_strategy(name)).__name__ == name


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Nothing()",
        "__import__('os').getcwd()",
        "SlidingWindow(turns=open('x'))",
        "SlidingWindow(turns=1+1)",
        "SlidingWindow(**{'turns': 1})",
        "SlidingWindow(turns=[x for x in (1,)])",
        "(lambda: 1)()",
        "1",
        "SlidingWindow(",
        "SlidingWindow(size=3)",
        "(" * 500,
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    """Code, unknown names, unknown settings and broken text are refused, never run."""
    with pytest.raises(InvalidOption):
        parse_strategy(text)


def test_a_wrong_strategy_is_a_usage_error(run: Run) -> None:
    """On the command line a strategy that is not understood ends with exit code 2 and names those that are."""
    result = run("demo", "--strategy", "Forgetful()")
    assert result.exit_code == 2
    assert "SteppedWindow" in result.stderr
