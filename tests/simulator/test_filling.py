"""Structured replies hold what the prompt says plainly, and answers what the conversation says, not its operator."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sash.simulator.replies import reply_to

from .samples import TOOL, assistant, body, user

SAID = (
    "My name is Ann Smith, order number: 4711, 3 guests on 2026-12-24 at 19:30. Mail ann@example.org, see "
    "https://example.org/a?b=1 for the menu. It is urgent, no vegetarian menu. The city is Utrecht, the price is 12.50."
)
PLAIN: list[tuple[str, dict[str, Any], Any]] = [
    ("name", {"type": "string"}, "Ann Smith"),
    ("order_number", {"type": "integer"}, 4711),
    ("orderNumber", {"type": "string"}, "4711"),
    ("guests", {"type": "integer"}, 3),
    ("price", {"type": "number"}, 12.5),
    ("when", {"type": "string", "format": "date"}, "2026-12-24"),
    ("start_time", {"type": "string"}, "19:30"),
    ("contact_email", {"type": "string"}, "ann@example.org"),
    ("page", {"type": "string", "format": "uri"}, "https://example.org/a?b=1"),
    ("urgent", {"type": "boolean"}, True),
    ("vegetarian", {"type": "boolean"}, False),
    ("city", {"$ref": "#/$defs/Place"}, "Utrecht"),
    ("priority", {"enum": ["low", "urgent"]}, "urgent"),
    ("phone", {"anyOf": [{"type": "string"}, {"type": "null"}]}, None),
    ("age", {"type": ["integer", "null"]}, None),
    ("weight", {"type": "number"}, 0),
    ("kind", {"const": "order"}, "order"),
]


def filled(schema: dict[str, Any], *messages: dict[str, Any]) -> Any:
    """The reply to a request for JSON of a schema, read."""
    wanted = {"format": {"type": "json_schema", "schema": schema}}
    return json.loads(str(reply_to(body(*messages, output_config=wanted)).content))


@pytest.mark.parametrize("newest", [True, False])
def test_values_are_found_in_the_prompt(newest: bool) -> None:
    """Each field has what is said of it, in the newest message or earlier; what is not said is empty."""
    schema = {
        "type": "object",
        "properties": {name: shape for name, shape, _ in PLAIN},
        "$defs": {"Place": {"type": "string"}},
    }
    before = [] if newest else [user(SAID), assistant("Noted.")]
    told = filled(schema, *before, user(SAID if newest else "Fill in the form, please."))
    assert told == {name: value for name, _, value in PLAIN}


def test_a_schema_that_holds_itself_ends() -> None:
    """A tree of any depth, and a reference to nothing, are filled without an end of patience."""
    node: dict[str, Any] = {"type": "object", "properties": {"name": {"type": "string"}}}
    node["properties"]["children"] = {"type": "array", "items": {"$ref": "#/$defs/Node"}}
    node["properties"]["ghost"] = {"$ref": "#/$defs/Nowhere"}
    node["properties"]["next"] = {"$ref": "#/$defs/Node"}
    schema = {"$ref": "#/$defs/Node", "$defs": {"Node": node}, "properties": {}}
    told = filled(schema, user("The name is Miro. What name has the cat?"))
    assert told["name"] == "Miro" and len(json.dumps(told)) < 100_000


AGENT = (
    "You are an agent for software.\n"
    + "You help with many things in a repository.\n" * 20
    + "## System\nCall tools.\n"
    "## Tone\nDo not summarize what you did. Refer to lines by their number.\n"
)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("My cat is called Miro. What is my cat called?", "From our conversation: My cat is called Miro."),
        ("What is the crate number?", "I don't know"),
    ],
)
def test_a_long_system_prompt_asks_for_no_summary(asked: str, said: str) -> None:
    """A prompt that speaks of summaries somewhere is no summariser's, and its orders answer no question."""
    told = reply_to(body(user("Good morning."), assistant("Hello."), user(asked), system=AGENT, tools=[TOOL]))
    assert str(told.content).startswith(said)


def test_a_summary_in_an_agents_conversation_has_the_form_it_asks_for() -> None:
    """Titles of the system prompt are no layout of a summary that the user asks for."""
    told = reply_to(body(user("The crate is 4711."), assistant("Yes."), user("Summarize it, please."), system=AGENT))
    assert "4711" in str(told.content) and "##" not in str(told.content)


def test_an_argument_in_quotation_marks_is_taken_whole() -> None:
    """What is quoted behind a name is the argument, blanks included."""
    schema = {"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]}
    told = reply_to(
        body(user('Use Bash with command: "cat notes.txt"'), tools=[{"name": "Bash", "input_schema": schema}])
    )
    assert isinstance(told.content, list) and told.content[0]["input"] == {"command": "cat notes.txt"}


@pytest.mark.parametrize(
    ("said", "integer", "number"),
    [
        ("12345678901234567891", 12345678901234567891, 12345678901234567891),
        ("-7.50", -7, -7.5),
        ("8.0", 8, 8),
        ("9" * 5_000, int("9" * 300), int("9" * 300)),
    ],
    ids=["long", "negative", "whole", "absurd"],
)
def test_numbers_are_those_that_are_said(said: str, integer: int, number: float) -> None:
    """A number has the digits that it was said with, in forms and in calls; of absurd ones as many as fit."""
    for kind, wanted in (("integer", integer), ("number", number)):
        schema = {"type": "object", "properties": {"crate": {"type": kind}}, "required": ["crate"]}
        assert filled(schema, user(f"The crate is {said}.")) == {"crate": wanted}
        tools = [{"name": "look_up", "input_schema": schema}]
        told = reply_to(body(user(f"Use look up with crate {said}"), tools=tools))
        assert isinstance(told.content, list) and told.content[0]["input"] == {"crate": wanted}
