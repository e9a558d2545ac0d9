"""What the simulated Claude says."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sash.simulator import Reply, Simulator
from sash.simulator.filling import fill_input
from sash.simulator.reading import UNKNOWN
from sash.simulator.replies import reply_to

from .samples import OLD, TOOL, assistant, body, call, post, result, text, user

FACTS = [
    user("My name is Ada Byron and my order number is 1138."),
    assistant("Noted, Ada."),
    user("Please always answer in metric units."),
    assistant("I will."),
    user("The parcel weighs 4.2 kg and goes to Bath."),
    assistant("Good."),
]


def said(*messages: dict[str, Any], **fields: Any) -> str:
    """The simulator's own words to a conversation."""
    content = reply_to(body(*messages, **fields)).content
    assert isinstance(content, str)
    return content


def test_questions_are_answered_from_the_prompt() -> None:
    """What was said earlier, in the system prompt, an attachment, a tool result or a summary, is found."""
    assert "1138" in said(*FACTS, user("What was my order number?"))
    assert "4.2 kg" in said(*FACTS, user("How much does the parcel weigh?"))
    assert "blue" in said(user("Which colour is the door?"), system="The door's colour is blue.")
    assert "Tuesday" in said(user("Snippet: the meeting is on Tuesday.", "When is the meeting?"))
    found = result(content=[text("Order 7 left Leeds.")])
    tail = (user("Use order_status"), assistant(call()), user(found), assistant("Ok."), user("What left Leeds?"))
    assert "Order 7" in said(*tail, tools=[TOOL])


def test_what_was_left_out_is_not_known() -> None:
    """The same question without the turns that hold the answer is not answered."""
    assert said(*FACTS[2:], user("What was my order number?")) == UNKNOWN


def test_newer_facts_win() -> None:
    """Of two equal sentences the later one comes first."""
    words = said(
        user("My phone number is 111."), assistant("Ok."), user("My phone number is 222."), assistant("Ok."),
        user("What is my phone number?"),
    )  # fmt: skip
    assert words.index("222") < words.index("111")


def test_statements_are_acknowledged() -> None:
    """What is no question is quoted back."""
    assert said(user("The parcel came today.")) == "Understood. You said: The parcel came today."


def test_own_replies_do_not_pile_up() -> None:
    """Asked again and again, the answer quotes the fact once, not its own quotations of it."""
    messages = FACTS[:2]
    for _ in range(4):
        question = user("What is my order number?")
        answer = said(*messages, question)
        messages = [*messages, question, assistant(answer)]
    assert answer.count("1138") == 1


def test_summaries_keep_numbers_names_and_instructions() -> None:
    """A summary is shorter than its source, in its order, and holds what must not be lost."""
    talk = [*FACTS, *(user(f"Well then, that is fine for me, thank you. {'It is nice. ' * 9}") for _ in range(6))]
    words = said(*talk, user("Summarise the conversation so far."))
    for fact in ("1138", "Ada Byron", "metric units", "4.2 kg"):
        assert fact in words
    assert len(words) < sum(len(block["text"]) for message in talk for block in message["content"])


def test_material_inside_the_request_is_summarised() -> None:
    """A request to summarise may carry its material in the same text, in tags."""
    words = said(user("Summarize this.\n<turns>\nAda ordered 3 lamps on 4 May.\n</turns>"))
    assert words == "Ada ordered 3 lamps on 4 May."


def test_schemas_are_filled() -> None:
    """With a JSON schema the reply is JSON of that form, with sentences of the prompt."""
    schema = {
        "type": "object",
        "properties": {
            "facts": {"type": "array", "items": {"type": "string"}},
            "count": {"type": "integer"},
            "mood": {"enum": ["good", "bad"]},
            "done": {"type": "boolean"},
            "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        },
    }
    fields = {"output_config": {"format": {"type": "json_schema", "schema": schema}}}
    filled = json.loads(said(*FACTS, user("Summarise the conversation."), **fields))
    assert set(filled) == set(schema["properties"])
    assert any("1138" in fact for fact in filled["facts"])
    assert filled["mood"] == "good" and filled["done"] is False and isinstance(filled["count"], int)


def test_tools_are_called_when_named() -> None:
    """A tool that the newest text names is called, with input from that text; others are not."""
    other = {**TOOL, "name": "refund"}
    sent = body(user("Please check the order status of order 77."), tools=[TOOL, other])
    assert reply_to(sent).content == [{"type": "tool_use", "name": "order_status", "input": {"order": 77}}]
    both = body(user("Use order_status and refund for order 5."), tools=[TOOL, other])
    called: Any = reply_to(both).content
    assert [block["name"] for block in called] == ["order_status", "refund"]
    one = {**both, "tool_choice": {"type": "auto", "disable_parallel_tool_use": True}}
    assert len(reply_to(one).content) == 1
    assert isinstance(reply_to({**both, "tool_choice": {"type": "none"}}).content, str)


def test_forced_tools() -> None:
    """any calls a tool although none is named; tool calls that one."""
    other = {**TOOL, "name": "refund"}
    for choice, name in (({"type": "any"}, "order_status"), ({"type": "tool", "name": "refund"}, "refund")):
        sent = body(user("Hello."), tools=[TOOL, other], tool_choice=choice, model=OLD)
        assert reply_to(sent).content[0]["name"] == name  # type: ignore[index]


def test_results_are_quoted() -> None:
    """After a tool result the reply quotes it and calls nothing more."""
    sent = (user("Use order_status for order 7."), assistant(call()), user(result(content="Order 7 is in Leeds.")))
    assert said(*sent, tools=[TOOL]) == "The result: Order 7 is in Leeds."


def test_inputs_are_read_from_the_text() -> None:
    """`name value` where it is said, else what is quoted, numbered or named."""
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "number"}, "unit": {"enum": ["C", "F"]}},
    }
    assert fill_input(schema, "Weather for city: Paris, days 3, in F please") == {
        "city": "Paris",
        "days": 3,
        "unit": "F",
    }
    assert fill_input({"properties": {"q": {"type": "string"}}}, 'Search for "red lamps" now') == {"q": "red lamps"}


@given(st.lists(st.text(max_size=40), min_size=1, max_size=6))
def test_replies_are_deterministic_and_never_empty(texts: list[str]) -> None:
    """Any texts get some reply, and always the same."""
    messages = [user(words or "x") for words in texts]
    assert said(*messages) == said(*messages) != ""


def test_scripts_are_followed(sim: Simulator) -> None:
    """Replies of a script come one after the other; None and the end of the list are the simulator's own."""
    sim.script(["One.", [text("Two."), text("Three.")], None, Reply(content="Four.", stop_reason="end_turn")])
    texts = [
        [block["text"] for block in post(sim, body(user("Hello.")))[1]["content"] if block["type"] == "text"]
        for _ in range(5)
    ]
    own = ["Understood. You said: Hello."]
    assert texts == [["One."], ["Two.", "Three."], own, ["Four."], own]


def test_scripts_may_be_functions(sim: Simulator) -> None:
    """A function sees the body of each request."""
    sim.script(lambda sent: f"{len(sent['messages'])} so far")
    assert post(sim, body())[1]["content"][-1]["text"] == "1 so far"


def test_max_tokens_cut_replies(sim: Simulator) -> None:
    """A reply longer than max_tokens is cut at a word, and says so; output never exceeds it."""
    sim.script(lambda _: Reply(content="word " * 500, thinking=""))
    _, reply = post(sim, body(max_tokens=50))
    assert reply["stop_reason"] == "max_tokens" and 40 <= reply["usage"]["output_tokens"] <= 50
    sim.script(lambda _: [call(name="order_status", order=7, note="long " * 100)])
    _, reply = post(sim, body(max_tokens=60, tools=[TOOL]))
    assert reply["stop_reason"] == "max_tokens" and reply["content"][-1]["input"] == {}


def test_stop_sequences_cut_replies(sim: Simulator) -> None:
    """The reply ends before the stop sequence that comes first, which is named."""
    sim.script(["one two three four"])
    _, reply = post(sim, body(stop_sequences=["four", " three"]))
    assert reply["content"][-1]["text"] == "one two"
    assert (reply["stop_reason"], reply["stop_sequence"]) == ("stop_sequence", " three")


def test_the_window_cuts_replies() -> None:
    """A prompt that nearly fills the window leaves little room: model_context_window_exceeded."""
    small = Simulator(tokenizer=lambda words: 1000 * len(words.split()))
    small.script(lambda _: Reply(content="word " * 50))
    sent = body(user("word " * 190), model="claude-haiku-4-5", max_tokens=60_000)
    assert post(small, sent)[1]["stop_reason"] == "model_context_window_exceeded"
    status, error = post(small, body(user("word " * 201), model="claude-haiku-4-5"))
    assert status == 400
    assert error["error"]["message"] == f"prompt is too long: {201_000 + 7} tokens > 200000 maximum"
