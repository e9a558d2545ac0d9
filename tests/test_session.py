"""A session alone: what a conversation is told is checked without a record, and read for each call."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from sash import Conversation, MemoryStore
from sash.conversation.session import Session
from sash.errors import InvalidOption


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
