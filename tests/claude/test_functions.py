"""Functions as tools: what a conversation ran leaves nothing behind."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest

from sash import AsyncConversation, Conversation, MemoryStore, tool
from sash.claude.functions import as_tools, cheap_names
from sash.errors import InvalidOption
from sash.model.preamble import preamble
from sash.simulator import Simulator

CALL = {"type": "tool_use", "name": "lookup", "input": {"word": "lamp"}}


def lookup(word: str) -> str:
    """Look a word up."""
    return word


async def lookup_later(word: str) -> str:
    """Look a word up."""
    return word


def ran() -> weakref.ref[Any]:
    """The store of a conversation that ran a function, and is closed."""
    sim, store = Simulator(), MemoryStore()
    sim.script([[CALL], "Done."])
    with sim.client() as client, Conversation(store, client=client) as chat:
        assert chat.run("Go.", tools=[lookup]).text == "Done."
    return weakref.ref(store)


async def ran_async() -> weakref.ref[Any]:
    """The same through the asynchronous client."""
    sim, store = Simulator(), MemoryStore()
    sim.script([[{**CALL, "name": "lookup_later"}], "Done."])
    async with sim.async_client() as client, AsyncConversation(store, client=client) as chat:
        assert (await chat.run("Go.", tools=[lookup_later])).text == "Done."
    return weakref.ref(store)


class Counter:
    def __call__(self, of: str) -> int:
        return len(of)


def by_position(*words: str) -> int:
    return len(words)


def by_position_only(word: str, /) -> int:
    return len(word)


@pytest.mark.parametrize("tool", [Counter, Counter(), partial(lookup, "a"), len, by_position, by_position_only])
def test_what_claude_cannot_call_by_name_is_refused_at_once(tool: Any) -> None:
    """A class, an object, a partial, a built-in, unnamed arguments: refused with the remedy before anything is sent."""
    with Conversation(client="simulator") as chat:
        with pytest.raises(InvalidOption, match=r"\(def|by name"):
            chat.run("How many are there?", tools=[tool])
        assert chat.usage().requests == 0


@pytest.mark.parametrize("runs", [ran, lambda: asyncio.run(ran_async())], ids=["plain", "asynchronous"])
def test_what_ran_a_function_is_forgotten_with_its_conversation(runs: Any) -> None:
    """No store, and no function, is held by what was made of the function, however many runs there were."""
    left = [runs() for _ in range(3)]
    gc.collect()
    assert [ref() for ref in left] == [None] * 3


def test_a_function_given_as_a_tool_is_forgotten() -> None:
    """A function made anew for each question is not kept."""

    def made() -> weakref.ref[Any]:
        def inner(word: str) -> str:
            return word

        as_tools([inner])
        return weakref.ref(inner)

    left = made()
    gc.collect()
    assert left() is None


def test_a_tool_is_defined_as_the_sdk_defines_it() -> None:
    """Name, description and schema are those of `beta_tool`, with what the docstring says of each argument."""
    import anthropic  # noqa: PLC0415

    def weigh(crate: int, unit: str = "kg") -> str:
        """Weigh a crate.

        Args:
            crate: its number
            unit: what to weigh in
        """
        return f"{crate} {unit}"

    [ours] = as_tools([weigh])
    assert ours.to_dict() == anthropic.beta_tool(weigh).to_dict()
    assert ours.to_dict()["input_schema"]["properties"]["crate"]["description"] == "its number"
    assert ours.call({"crate": 3}) == "3 kg"


def test_a_context_manager_that_yields_a_function_is_its_tool() -> None:
    """As with `beta_tool`: the schema is that of the function inside."""

    @contextmanager
    def opened() -> Iterator[Any]:
        yield lookup

    [tool] = as_tools([opened])
    assert tool.to_dict()["input_schema"]["required"] == ["word"]
    assert tool.call({"word": "lamp"}) == "lamp"


def weigh(crate: int) -> str:
    """Weigh a crate."""
    return f"{crate} kg"


def given_tools() -> dict[str, Any]:
    """A tool of each kind that can be given, all anew."""
    import anthropic  # noqa: PLC0415

    def here(crate: int) -> str:
        """Weigh a crate."""
        return weigh(crate)

    async def later(crate: int) -> str:
        """Weigh a crate."""
        return weigh(crate)

    class Scales:
        def weigh(self, crate: int) -> str:
            """Weigh a crate."""
            return weigh(crate)

    return {
        "function": here,
        "coroutine": later,
        "method": Scales().weigh,
        "of the SDK": anthropic.beta_tool(weigh),
        "definition": {"name": "weigh", "description": "Weigh a crate.", "input_schema": {"type": "object"}},
    }


@pytest.mark.parametrize("kind", given_tools())
def test_a_mark_is_told_to_us_and_not_to_claude(kind: str) -> None:
    """Marked as cheap, each kind of tool is sent as without the mark, called as before, and known to be cheap."""
    [plain] = as_tools([given_tools()[kind]])
    given = given_tools()[kind]
    for mark in (partial(tool, cheap=True), tool(cheap=True)):
        marked = mark(given)
        [made] = as_tools([marked])
        assert preamble(None, [made]) == preamble(None, [plain])
        assert cheap_names([made]) == {preamble(None, [made]).tool_list[0]["name"]}
        assert marked == given
        assert not cheap_names(as_tools([tool(marked, cheap=False)]))


def test_unmarked_tools_are_not_cheap() -> None:
    """Nothing is cheap that nobody said is; a mark on a definition leaves the one that was given as it was."""
    definition = given_tools()["definition"]
    assert tool(definition, cheap=True) == definition
    assert not cheap_names(as_tools([weigh, definition]))


@pytest.mark.parametrize("given", [Counter(), "lookup", len])
def test_only_tools_are_marked(given: Any) -> None:
    """Anything else is refused where it is marked, and so is a mark that is neither True nor False."""
    with pytest.raises(InvalidOption, match="a tool is a function"):
        tool(given, cheap=True)
    with pytest.raises(InvalidOption, match="cheap='yes'"):
        tool(lookup, cheap="yes")  # type: ignore[call-overload]
