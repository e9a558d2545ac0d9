"""A session alone: what a conversation is told is checked without a record, and read for each call."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sash import Conversation, Economic, MemoryStore, SlidingWindow
from sash.conversation.session import Session
from sash.errors import InvalidOption
from sash.limits import Ceiling
from sash.planning.situation import Decision, Situation, Strategy


def test_a_session_touches_nothing(path: Path) -> None:
    """It is told where the record would be, and no file is made; nor is one asked for a client."""
    session = Session(path, model="claude-haiku-5-5", max_tokens=300, system="Be brief.")
    assert (session.card.id, session.max_tokens, session.is_open) == ("claude-haiku-5-5", 300, False)
    assert not path.exists()


def test_a_session_refuses_what_a_conversation_does() -> None:
    """The error names the option."""
    with pytest.raises(InvalidOption) as raised:
        Session(budget=100, keep=200)
    assert raised.value.option == "keep"
    with pytest.raises(InvalidOption, match="budget"):
        Session(bugdet=3)  # type: ignore[call-arg]


def test_a_conversation_is_told_what_its_session_is() -> None:
    """Names, types and defaults are the same."""
    told = list(inspect.signature(Session).parameters.values())
    assert list(inspect.signature(Conversation).parameters.values()) == told


def test_what_a_call_says_lasts_only_once_that_is_asked_for() -> None:
    """Reading the arguments of a call changes nothing; keeping them keeps model, system, tools, thinking, effort."""
    session = Session(model="claude-sonnet-5-5", system="Be brief.")
    session.open(store := MemoryStore())
    given = {"system": "Be long.", "thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}, "timeout": 3}
    before = session.asking(store, {})
    asking = session.asking(store, given, stream=True)
    assert (asking.call.timeout, asking.call.stream) == (3, True)
    assert session.asking(store, {}).settings == before.settings
    session.keep_lasting(asking)
    after = session.asking(store, {}).settings
    assert after.preamble == asking.settings.preamble != before.settings.preamble
    assert after.options == {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}}


class Changing:
    """A strategy that goes another way from some time on: by itself, or as its owner wants."""

    ignores_budget = False

    def __init__(self) -> None:
        self.inner: Strategy = SlidingWindow(turns=3)

    def decide(self, situation: Situation) -> Decision:
        """As the one inside."""
        return self.inner.decide(situation)


def otherwise(session: Session, **attributes: Any) -> None:
    """The strategy in force changes in place."""
    if not isinstance(session.strategy, Changing):
        session.strategy = Changing()
    vars(session.strategy).update(attributes)


CHANGES: dict[str, Callable[[Session], None]] = {
    "budget": lambda session: setattr(session, "budget", 9_000),
    "keep": lambda session: setattr(session, "keep", 700),
    "max_tokens": lambda session: setattr(session, "max_tokens", 321),
    "strategy": lambda session: setattr(session, "strategy", SlidingWindow(turns=3)),
    "all is sent": lambda session: otherwise(session, ignores_budget=True),
    "no longer all": lambda session: otherwise(session, ignores_budget=False),
    "another inside": lambda session: otherwise(session, inner=Economic()),
    "a ceiling": lambda session: session.layers.ceilings.append(Ceiling(tokens=10**9)),
    "recalls": lambda session: setattr(session, "recalls", None),
    "priority": lambda session: setattr(session, "priority", "background"),
    "max_wait": lambda session: setattr(session, "max_wait", 3.0),
    "count_online": lambda session: setattr(session, "count_online", False),
    "forms": lambda session: session.forget_forms(),
    "model": lambda session: lasting(session, model="claude-opus-5-5"),
    "system": lambda session: lasting(session, system="Be long."),
    "tools": lambda session: lasting(session, tools=[{"name": "look", "input_schema": {"type": "object"}}]),
    "thinking": lambda session: lasting(session, thinking={"type": "disabled"}),
    "effort": lambda session: lasting(session, output_config={"effort": "low"}),
}


def lasting(session: Session, **arguments: Any) -> None:
    """A call whose arguments stay in force."""
    session.keep_lasting(session.asking(MemoryStore(), arguments))


@given(st.lists(st.sampled_from(sorted(CHANGES)), max_size=6))
def test_a_call_that_says_nothing_takes_what_is_in_force(changes: list[str]) -> None:
    """Whatever was set or said before, the settings of a call without arguments are those made anew for it."""
    session = Session(model="claude-sonnet-5-5", ceilings=[])
    session.open(store := MemoryStore())
    for change in changes:
        CHANGES[change](session)
        asking, now = session.asking(store, {}), session.settings()
        assert (asking.settings, asking.settings.traits, asking.chat) == (now, now.traits, session.chat(store))
