"""Structured output: asked for as the SDK does, read back, counted, and what becomes of it when it fails."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel

from sash import AsyncConversation, Conversation
from sash.errors import InvalidOption, ReplyUnparsed
from sash.simulator import Refusal, Simulator

Talk = Callable[..., Conversation]


class Order(BaseModel):
    """An order of a bakery."""

    number: int
    cake: str


SCHEMA = {"type": "object", "properties": {"number": {"type": "integer"}}, "required": ["number"]}
FORMAT = {"type": "json_schema", "schema": SCHEMA}
GOOD = '{"number": 1138, "cake": "walnut"}'


def test_a_class_gives_an_object(talk: Talk, sim: Simulator) -> None:
    """The schema goes out by the SDK's own making, the reply comes back as the class."""
    sim.script([GOOD])
    reply = talk().send("What did I order?", output_format=Order)
    assert reply.parsed == Order(number=1138, cake="walnut")
    sent = sim.messages[-1].body["output_config"]["format"]
    assert sent["type"] == "json_schema"
    assert sent["schema"]["required"] == ["number", "cake"]


def test_the_sdks_own_form_gives_json(talk: Talk, sim: Simulator) -> None:
    """`output_config.format`, for one send or, given to the conversation, for all."""
    sim.script([GOOD, "Plain.", GOOD])
    chat = talk()
    assert chat.send("one", output_config={"format": FORMAT}).parsed == {"number": 1138, "cake": "walnut"}
    assert chat.send("two").parsed is None
    assert "output_config" not in sim.messages[-1].body
    assert talk(id="b", output_config={"format": FORMAT}).send("three").parsed["number"] == 1138


def test_the_simulator_answers_in_the_schema(talk: Talk) -> None:
    """So a bot can be tested without scripts."""
    assert isinstance(talk().send("My order 1138 is a cake.", output_format=Order).parsed, Order)


def test_streams_runs_and_retries_parse_too(talk: Talk, sim: Simulator) -> None:
    """Whatever ends in a reply."""

    def look(word: str) -> str:
        """Look it up.

        Args:
            word: what
        """
        return word

    chat = talk()
    call = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"word": "cake"}}
    sim.script([GOOD, [call], GOOD, GOOD])
    with chat.stream("one", output_format=Order) as stream:
        assert stream.until_done().parsed.number == 1138
    assert chat.run("two", tools=[look], output_format=Order).parsed.cake == "walnut"
    assert chat.regenerate(output_format=Order).parsed.cake == "walnut"


def test_async_parses_too(sim: Simulator) -> None:
    """The same flow."""

    async def main() -> Any:
        async with AsyncConversation(client=sim.async_client(), clock=sim.clock.now) as chat:
            return (await chat.send("one", output_format=Order)).parsed

    sim.script([GOOD])
    assert asyncio.run(main()) == Order(number=1138, cake="walnut")


def test_a_reply_that_does_not_fit_is_recorded_and_carried_by_the_error(talk: Talk, sim: Simulator) -> None:
    """It was paid for; the conversation goes on from it."""
    chat = talk()
    sim.script(['{"number": "many"}'])
    with pytest.raises(ReplyUnparsed, match="regenerate") as caught:
        chat.send("one", output_format=Order)
    assert caught.value.reply.text == '{"number": "many"}'
    assert [turn.state for turn in chat.history()] == ["answered", "answered"]
    assert chat.history()[-1].id == caught.value.turn
    assert chat.send("two").text


def test_a_refusal_is_no_parse_error(talk: Talk, sim: Simulator) -> None:
    """There is nothing to parse."""
    sim.fail_next(Refusal())
    reply = talk().send("one", output_format=Order)
    assert reply.refused
    assert reply.parsed is None


def test_what_is_no_format_is_refused_before_sending(talk: Talk, sim: Simulator) -> None:
    """A class of another kind, a schema without its type."""
    for wrong in (int, {"schema": SCHEMA}, "json"):
        with pytest.raises(InvalidOption, match="pydantic class"):
            talk().send("one", output_format=wrong)
    assert sim.messages == []


def test_its_tokens_are_counted_and_not_learned_as_the_preambles(talk: Talk) -> None:
    """Within the bound, with a format, without, and with it again."""
    chat = talk(system="You keep the books of a bakery. " * 20)
    for number in range(6):
        asked: dict[str, Any] = {"output_format": Order} if number % 2 else {}
        reply = chat.send(f"question {number}", **asked)
        assert reply.usage.prompt <= reply.plan.prompt.upper
    plain, asked_for = chat.count("again"), chat.count("again", output_format=Order)
    assert asked_for.tokens > plain.tokens + 100


@pytest.mark.parametrize(
    "change",
    [{"output_format": Order}, {"thinking": {"type": "between_tools"}}, {"output_config": {"effort": "low"}}],
)
def test_what_loses_the_cache_is_planned_for_and_said(talk: Talk, change: dict[str, Any]) -> None:
    """No surprise: the plan expects the loss and its notes name it."""
    chat = talk(system="You keep the books of a bakery. " * 200)
    chat.send("one")
    chat.send("two")
    reply = chat.send("three", **change)
    assert reply.plan.expected.read <= reply.usage.read + 32
    assert "not read from the cache" in reply.plan.explain()
    assert "less read" not in reply.surprise
    assert not reply.plan.cut


def test_effort_stays_in_force_beside_a_format(talk: Talk, sim: Simulator) -> None:
    """Giving one does not drop the other."""
    chat = talk()
    chat.send("one", output_config={"effort": "low"})
    chat.send("two", output_format=Order)
    assert sim.messages[-1].body["output_config"]["effort"] == "low"
    chat.send("three")
    assert sim.messages[-1].body["output_config"] == {"effort": "low"}
