"""Laws: a legal history passes, every way of breaking it is caught under the right name, and nothing raises."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sash.planning.rules import check_request, is_plain_user, markable, strip_thinking

Body = dict[str, Any]
Message = dict[str, Any]

TOOLS = [{"name": "lookup", "input_schema": {"type": "object"}}, {"name": "refund", "input_schema": {"type": "object"}}]
WORDS = st.sampled_from(["Hello.", "Order 1138?", "Danke schön", "好的", "…"])


def text(words: str) -> Body:
    return {"type": "text", "text": words}


def thought() -> Body:
    return {"type": "thinking", "thinking": "", "signature": "EqQB"}


def call(id: str) -> Body:
    return {"type": "tool_use", "id": id, "name": "lookup", "input": {"order": 1138}}


def result(id: str) -> Body:
    return {"type": "tool_result", "tool_use_id": id, "content": [text("found")]}


def server_pair(id: str) -> list[Body]:
    use = {"type": "server_tool_use", "id": id, "name": "web_search", "input": {}}
    return [use, {"type": "web_search_tool_result", "tool_use_id": id, "content": []}]


@st.composite
def exchanges(draw: st.DrawFn, number: int, rich: bool = False) -> list[Message]:
    """A user turn and all that follows it; a rich one has thinking, parallel calls, and a server's tool."""
    turns: list[Message] = [{"role": "user", "content": [text(draw(WORDS))]} for _ in range(1 if rich else 2)]
    turns = turns[: draw(st.integers(1, 2))]
    for step in range(1 if rich else draw(st.integers(0, 2))):
        ids = [f"toolu_{number}_{step}_{index}" for index in range(2 if rich else draw(st.integers(1, 3)))]
        before = [thought()] if rich or draw(st.booleans()) else []
        turns.append({"role": "assistant", "content": [*before, *map(call, ids)]})
        answers = [result(id) for id in draw(st.permutations(ids))]
        said = [text(draw(WORDS))] if draw(st.booleans()) else []
        turns.append({"role": "user", "content": [*answers, *said]})
        if draw(st.booleans()):
            turns.append({"role": "system", "content": draw(WORDS)})
    searched = server_pair(f"srvtoolu_{number}") if rich or draw(st.booleans()) else []
    turns.append({"role": "assistant", "content": [*searched, text(draw(WORDS))]})
    return turns


@st.composite
def histories(draw: st.DrawFn) -> Body:
    """A legal request: some exchanges, one of them rich, and an open question."""
    count, rich = draw(st.integers(1, 4)), draw(st.integers(0, 3))
    messages = [turn for number in range(count) for turn in draw(exchanges(number, rich=number == rich % count))]
    messages.append({"role": "user", "content": [text(draw(WORDS))]})
    system = [text(draw(WORDS))]
    return {"model": "claude-opus-5-5", "max_tokens": 500, "system": system, "tools": TOOLS, "messages": messages}


def spots(body: Body) -> list[Body]:
    """All that can carry a marker, in render order."""
    blocks = [block for turn in body["messages"] for block in turn["content"] if not isinstance(block, str)]
    return [*body["tools"], *body["system"], *filter(markable, blocks)]


def rules(body: Body) -> set[str]:
    return {problem.rule for problem in check_request(body)}


@given(histories())
def test_a_legal_history_passes(body: Body) -> None:
    """No rule is held against a well-formed conversation."""
    assert check_request(body) == []


@given(histories(), st.data())
def test_up_to_four_ordered_markers_pass(body: Body, data: st.DataObject) -> None:
    """Any four markable places may be marked, as long as the hours come first."""
    body = copy.deepcopy(body)
    places = spots(body)
    chosen = sorted(data.draw(st.sets(st.integers(0, len(places) - 1), max_size=4)))
    hours = data.draw(st.integers(0, len(chosen)))
    for order, index in enumerate(chosen):
        places[index]["cache_control"] = {"type": "ephemeral", "ttl": "1h" if order < hours else "5m"}
    assert check_request(body) == []


@given(histories())
def test_a_cut_between_exchanges_is_legal(body: Body) -> None:
    """Dropping whole exchanges from the start, and all thinking of the rest, breaks no rule."""
    turns = body["messages"]
    for start, turn in enumerate(turns):
        if is_plain_user(turn["role"], turn["content"]):
            kept = [_stripped(kept) for kept in turns[start:]]
            assert check_request({**body, "messages": [kept for kept in kept if kept["content"]]}) == []


def _stripped(turn: Message) -> Message:
    content = turn["content"]
    return turn if isinstance(content, str) else {**turn, "content": list(strip_thinking(content))}


# --- ways to break a history; each is given a copy and changes it in place


def of_kind(body: Body, kind: str) -> tuple[list[Body], int]:
    """The content list that holds the first block of a type, and the block's index in it."""
    for turn in body["messages"]:
        for index, block in enumerate(turn["content"]):
            if isinstance(block, dict) and block["type"] == kind:
                return turn["content"], index
    raise AssertionError(f"no {kind} block in the history")


def drop(kind: str) -> Callable[[Body], None]:
    def change(body: Body) -> None:
        content, index = of_kind(body, kind)
        del content[index]

    return change


def put(kind: str, *blocks: Body, after: bool = False) -> Callable[[Body], None]:
    def change(body: Body) -> None:
        content, index = of_kind(body, kind)
        content[index + after : index + after] = copy.deepcopy(list(blocks))

    return change


def twice(kind: str) -> Callable[[Body], None]:
    def change(body: Body) -> None:
        content, index = of_kind(body, kind)
        content.insert(index + 1, copy.deepcopy(content[index]))

    return change


def fields(kind: str, **changed: Any) -> Callable[[Body], None]:
    def change(body: Body) -> None:
        content, index = of_kind(body, kind)
        content[index].update(changed)

    return change


def params(**changed: Any) -> Callable[[Body], None]:
    return lambda body: body.update(changed)


def five_markers(body: Body) -> None:
    for place in spots(body)[:5]:
        place["cache_control"] = {"type": "ephemeral"}


def minutes_before_an_hour(body: Body) -> None:
    body["system"][0]["cache_control"] = {"type": "ephemeral"}
    body["messages"][-1]["content"][0]["cache_control"] = {"type": "ephemeral", "ttl": "1h"}


def calls_of(turn: Message) -> list[Any]:
    return [block for block in turn["content"] if isinstance(block, dict) and block["type"] == "tool_use"]


def instruct(body: Body, at: int) -> None:
    body["messages"].insert(at, {"role": "system", "content": "Be brief."})


def instruct_a_model_that_refuses(body: Body) -> None:
    body["model"] = "claude-sonnet-5"
    body["messages"].append({"role": "system", "content": "Be brief."})


def assistant_first(body: Body) -> None:
    body["messages"].insert(0, {"role": "assistant", "content": "Hi."})


def cut_inside_an_exchange(body: Body) -> None:
    """Begin with the turn after the first call: its results have lost their calls."""
    turns = body["messages"]
    first = next(at for at, turn in enumerate(turns) if turn["content"][-1] in calls_of(turn))
    del turns[: first + 1]


MUTATIONS: dict[str, tuple[Callable[[Body], None], str]] = {
    "orphan a result": (drop("tool_use"), "tool-orphan"),
    "cut inside an exchange": (cut_inside_an_exchange, "tool-orphan"),
    "leave a call open": (drop("tool_result"), "tool-unanswered"),
    "text before the results": (put("tool_result", text("So:")), "tool-result-first"),
    "answer twice": (twice("tool_result"), "tool-result-twice"),
    "call twice": (twice("tool_use"), "tool-id-twice"),
    "cut a call short": (fields("tool_use", input='{"order": 11'), "tool-call-shape"),
    "lose a server's call": (drop("server_tool_use"), "server-result-orphan"),
    "lose a server's result": (drop("web_search_tool_result"), "server-call-open"),
    "empty text": (put("text", text("")), "empty-text"),
    "empty a message": (lambda body: body["messages"][-1].update(content=[]), "empty-message"),
    "half a thought": (fields("thinking", signature=""), "thinking-block"),
    "a thought at the end": (put("text", thought()), "block-role"),
    "a document from the assistant": (
        put("tool_use", {"type": "document", "source": {"type": "text", "data": "x"}}),
        "document-in-assistant",
    ),
    "citations from the user": (fields("text", citations=[{"type": "char_location"}]), "citations-in-user-text"),
    "the assistant first": (assistant_first, "first-message"),
    "the assistant last": (lambda body: body["messages"].pop(), "prefill"),
    "instructions first": (lambda body: instruct(body, 0), "system-turn-place"),
    "instructions to a model without": (instruct_a_model_that_refuses, "system-turn-model"),
    "another role": (lambda body: body["messages"][-1].update(role="tool"), "role"),
    "a stored reply": (lambda body: body["messages"][0].update(id="msg_1"), "message-fields"),
    "two tools of one name": (params(tools=[*TOOLS, TOOLS[0]]), "tool-definition"),
    "a forced choice": (params(tool_choice={"type": "any"}), "tool-choice-forced"),
    "five markers": (five_markers, "marker-count"),
    "5 minutes before an hour": (minutes_before_an_hour, "marker-ttl-order"),
    "a marked thought": (fields("thinking", cache_control={"type": "ephemeral"}), "marker-on-thinking"),
    "another lifetime": (fields("text", cache_control={"type": "ephemeral", "ttl": "2h"}), "marker-value"),
    "temperature": (params(temperature=1.0), "sampling-parameter"),
    "a misspelt name": (params(max_token=1), "parameter-unknown"),
    "too long a reply": (params(max_tokens=128_001), "max-tokens"),
    "thinking off": (params(thinking={"type": "disabled"}), "thinking-mode"),
    "effort unheard of": (params(output_config={"effort": "huge"}), "effort"),
}  # fmt: skip


@pytest.mark.parametrize("name", MUTATIONS)
@settings(max_examples=25)
@given(body=histories())
def test_every_way_to_break_a_history_is_caught(name: str, body: Body) -> None:
    """A legal history with one thing broken is refused under the rule for that thing."""
    change, rule = MUTATIONS[name]
    broken = copy.deepcopy(body)
    change(broken)
    assert rule in rules(broken)


# --- whatever comes

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    | st.sampled_from(["user", "assistant", "system", "text", "tool_use", "tool_result", "thinking", "image", "5m"]),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(["type", "role", "content", "text", "id", "tool_use_id", "source", "data", "cache_control",
                         "ttl", "citations", "input", "name", "media_type", "signature"]),
        inner,
        max_size=5,
    ),
    max_leaves=20,
)  # fmt: skip


@given(
    st.dictionaries(
        st.sampled_from(["model", "max_tokens", "messages", "system", "tools", "thinking", "tool_choice", "betas",
                         "cache_control", "output_config", "compaction", "context_management", "thread",
                         "extra_body", "extra_headers", "mcp_servers", "foo"]),
        json_values,
    )
)  # fmt: skip
@settings(max_examples=300)
def test_no_json_makes_it_raise(params: Body) -> None:
    """Whatever JSON a request holds, the answer is a list of problems with stable ids and readable texts."""
    for problem in check_request(params):
        assert problem.rule
        assert problem.message
        assert isinstance(problem.path, str)


@given(histories())
def test_checking_changes_nothing(body: Body) -> None:
    """The request is only read."""
    before = copy.deepcopy(body)
    check_request(body)
    assert body == before
