"""The memory tool over a store: in a run, in the SDK's own tool runner, sync and async."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import sash
from sash import Conversation
from sash.errors import InvalidOption
from sash.simulator import Simulator

PATH = "/memories/coffee.md"


def call(id: str, command: str, **given: Any) -> dict[str, Any]:
    """A call of the tool as Claude makes it."""
    return {"type": "tool_use", "id": id, "name": "memory", "input": {"command": command, **given}}


SCRIPT: list[Any] = [
    [call("t1", "view", path="/memories")],
    [call("t2", "create", path=PATH, file_text="Ann drinks it black.\n"), call("t3", "view", path="/memories/tea.md")],
    "I will remember that.",
]


def kept(store: Any, user: str = "ann") -> dict[str, str]:
    """The user's files."""
    return {file.path: file.text for file in store.memory_files.files(user=user)}


def test_what_claude_writes_in_one_conversation_stands_in_the_next(sim: Simulator) -> None:
    """A run carries the commands out; another conversation of the user reads the file, one of another user does not."""
    store = sash.open(None)
    sim.script([*SCRIPT, [call("t4", "view", path=PATH)], "Black.", [call("t5", "view", path=PATH)], "No idea."])
    with Conversation(store, id="one", client=sim.client()) as chat:
        chat.run("I drink my coffee black.", tools=[sash.memory_tool(store, user="ann")])
        results = chat.history()[4].blocks
        assert [block.get("is_error", False) for block in results] == [False, True]
    assert kept(store) == {PATH: "Ann drinks it black.\n"}
    with Conversation(store, id="two", client=sim.client()) as chat:
        chat.run("How do I drink it?", tools=[sash.memory_tool(store, user="ann")])
        assert "Ann drinks it black." in chat.history()[2].blocks[0]["content"]
    with Conversation(store, id="three", client=sim.client()) as chat:
        chat.run("How do I drink it?", tools=[sash.memory_tool(store, user="bob")])
        assert chat.history()[2].blocks[0]["is_error"]


def test_the_async_tool_asks_the_store_in_a_thread(sim: Simulator) -> None:
    """`AsyncConversation.run` takes it, with the same effect."""
    store = sash.open(None)
    sim.script(SCRIPT)

    async def talk() -> sash.Reply:
        async with sash.AsyncConversation(store, client=sim.async_client()) as chat:
            return await chat.run("I drink it black.", tools=[sash.async_memory_tool(store, user="ann")])

    reply = asyncio.run(talk())
    assert (reply.text, kept(store)) == ("I will remember that.", {PATH: "Ann drinks it black.\n"})


def test_the_sdks_own_runner_takes_it(sim: Simulator) -> None:
    """`client.beta.messages.tool_runner` carries the same commands out, a refused one as an error result."""
    store = sash.open(None)
    sim.script(SCRIPT)
    runner = sim.client().beta.messages.tool_runner(
        model="claude-sonnet-5-5",
        max_tokens=500,
        messages=[{"role": "user", "content": "I drink it black."}],
        tools=[sash.memory_tool(store, user="ann")],
    )
    assert runner.until_done().content[-1].text == "I will remember that."
    assert kept(store) == {PATH: "Ann drinks it black.\n"}
    sent = sim.messages[-1].body["messages"][-1]["content"]
    assert [block.get("is_error", False) for block in sent] == [False, True]


def test_the_sdks_own_async_runner_takes_it(sim: Simulator) -> None:
    """The same with `await`."""
    store = sash.open(None)
    sim.script(SCRIPT)

    async def talk() -> None:
        runner = sim.async_client().beta.messages.tool_runner(
            model="claude-sonnet-5-5",
            max_tokens=500,
            messages=[{"role": "user", "content": "I drink it black."}],
            tools=[sash.async_memory_tool(store, user="ann")],
        )
        await runner.until_done()

    asyncio.run(talk())
    assert kept(store) == {PATH: "Ann drinks it black.\n"}


@pytest.mark.parametrize("user", ["", " ", None, 7, "a\nb"])
def test_a_user_without_a_name_is_refused(user: Any) -> None:
    """Files of nobody would be everybody's."""
    with pytest.raises(InvalidOption, match="user"):
        sash.memory_tool(sash.open(None), user=user)


@pytest.mark.parametrize("make", [sash.memory_tool, sash.async_memory_tool])
def test_a_path_instead_of_a_store_is_told_what_to_do(make: Any, tmp_path: Path) -> None:
    """Nobody would close what the tool opened; nothing is created."""
    with pytest.raises(InvalidOption, match=r"sash\.open"):
        make(str(tmp_path / "a.db"), user="ann")
    assert list(tmp_path.iterdir()) == []
