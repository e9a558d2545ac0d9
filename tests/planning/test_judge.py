"""The judge that remembers says what `check_request` says, whatever request comes after whichever."""

from __future__ import annotations

import base64
import copy
import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planning.test_rules_laws import MUTATIONS, Body, Message, call, exchanges, histories, result, text
from sash.model.blocks import dumps
from sash.model.cards import card
from sash.planning.judge import Judge
from sash.planning.rules import BESIDE_MESSAGES, RULES, check_request, markable
from sash.planning.rules.body import read

CARD = card("claude-opus-5-5")
MARK = {"type": "ephemeral", "ttl": "5m"}


def picture(side: int) -> Body:
    """An image of so many pixels a side."""
    head = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + side.to_bytes(4, "big") * 2
    source = {"type": "base64", "media_type": "image/png", "data": base64.b64encode(head).decode()}
    return {"type": "image", "source": source}


def asked(*blocks: Body) -> list[Message]:
    """A question with these blocks, and its answer."""
    return [{"role": "user", "content": [*blocks, text("So?")]}, {"role": "assistant", "content": [text("So.")]}]


def called(id: str) -> list[Message]:
    """An exchange with a call of this id."""
    question, answer = asked()
    return [question, {"role": "assistant", "content": [call(id)]}, {"role": "user", "content": [result(id)]}, answer]


def found_late(id: str) -> list[Message]:
    """An exchange in which the result of a search comes that was asked for before."""
    question, answer = asked()
    found = {"type": "web_search_tool_result", "tool_use_id": id, "content": []}
    return [question, {"role": "assistant", "content": [found, *answer["content"]]}]


def searching(id: str, *, found: bool) -> list[Message]:
    """An exchange in which the server searches, and finds something or goes on searching."""
    use = {"type": "server_tool_use", "id": id, "name": "web_search", "input": {}}
    hit = {"type": "web_search_tool_result", "tool_use_id": id, "content": []}
    question, answer = asked()
    return [question, {"role": "assistant", "content": [use, *([hit] if found else []), *answer["content"]]}]


def added() -> list[Message]:
    """An exchange in which a tool is added."""
    return [{"role": "user", "content": [{"type": "tool_addition", "tools": []}]}, *asked()[1:]]


EXCHANGES = st.one_of(
    st.integers(0, 10_000).flatmap(exchanges),
    st.sampled_from([12, 12, 3]).map(lambda many: asked(*[picture(1_500)] * many)),
    st.just(asked(picture(2_500))),
    st.sampled_from(["same", "other", "third"]).map(called),
    st.builds(lambda id, found: searching(id, found=found), st.sampled_from(["s1", "s2"]), found=st.booleans()),
    st.sampled_from(["s1", "s2"]).map(found_late),
    st.just(added()),
)
"""Legal ones for the most part, which touch others far away: by their number, their ids, their order."""


def marked(messages: list[Message], *places: int) -> list[Message]:
    """The same, with a marker at the end of these messages (counted from the end)."""
    sent = list(messages)
    for place in {place % len(sent) for place in places}:
        content = list(sent[place]["content"])
        if isinstance(content[-1], dict) and markable(content[-1]):
            content[-1] = {**content[-1], "cache_control": MARK}
        sent[place] = {**sent[place], "content": content}
    return sent


def requests(parts: list[list[Message]], base: int | None = None, **params: Any) -> Iterator[Body]:
    """The requests of a history that grows by exchanges, with markers that move along, and one that stays."""
    messages: list[Message] = []
    before = 1
    for part in parts:
        messages += part
        sent = [*messages, asked()[0]]
        kept = [base - len(sent)] if base is not None and base < len(sent) else []
        yield {"model": CARD.id, "max_tokens": 500, **params, "messages": marked(sent, -1, before - len(sent), *kept)}
        before = len(sent) - 1


@settings(max_examples=400)
@given(st.lists(EXCHANGES, min_size=2, max_size=7), st.none() | st.integers(0, 9))
def test_a_history_that_grows_is_judged_as_if_it_were_read_anew(parts: list[list[Message]], base: int | None) -> None:
    """Whatever comes behind what was judged, a judge says what the rules say of the whole."""
    judge = Judge()
    for body in requests(parts, base):
        assert judge.problems(body, betas=("compact-1",), card=CARD) == check_request(
            body, betas=("compact-1",), card=CARD
        )


FAR_APART: dict[str, tuple[list[list[Message]], Body]] = {
    "a call's id again": ([called("same"), asked(), called("other"), called("same")], {}),
    "a result of a search that is in the record": ([searching("s", found=True), asked(), found_late("s")], {}),
    "one image too many": ([asked(picture(40)), *[asked(*[picture(40)] * 199)] * 3, asked(picture(40))], {}),
    "a large image among few, and then among many": (
        [asked(picture(2_500)), asked(), *[asked(*[picture(40)] * 7)] * 3],
        {},
    ),
    "a search that goes on": ([searching("s", found=False), asked()], {}),
    "a tool that was added": ([added(), asked(), asked()], {"tool_choice": {"type": "tool", "name": "new"}}),
}
"""Histories by what their end owes to their beginning, and the parameters it shows with."""


@pytest.mark.parametrize("what", FAR_APART)
def test_what_touches_a_message_from_afar_is_seen(what: str) -> None:
    """What a rule counts, or looks up, over the whole request is not lost with the messages that were judged before."""
    parts, params = FAR_APART[what]
    judge = Judge()
    for body in requests(parts, base=1, **params):
        assert judge.problems(body, betas=("x-1",), card=CARD) == check_request(body, betas=("x-1",), card=CARD)


def test_a_search_that_goes_on_is_waited_for_through_a_run_of_tools() -> None:
    """While the server searches, tools are answered, however many; nothing else is said."""
    judge = Judge()
    question, *_ = searching("s", found=False)
    use = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}
    runs = [called(f"toolu_{number}")[1:3] for number in range(6)]
    runs[0][0]["content"].insert(0, use)
    for upto in range(1, 7):
        messages = [question, *[turn for run in runs[:upto] for turn in run]]
        body = {"model": CARD.id, "max_tokens": 500, "messages": messages}
        assert judge.problems(body, betas=(), card=CARD) == []
    said = {**body, "messages": [*messages, *reversed(asked())]}
    assert [one.rule for one in judge.problems(said, betas=(), card=CARD)] == ["server-call-open"]


@pytest.mark.parametrize("length", range(7))
def test_how_a_request_ends_is_looked_at_where_all_of_it_began_another_one(length: int) -> None:
    """What may stand in front of a question may not stand at the end."""
    judge, messages = Judge(), [turn for _ in range(3) for turn in asked()]
    body = {"model": CARD.id, "max_tokens": 500, "messages": [*messages, asked()[0]]}
    shorter = {**body, "messages": messages[:length]}
    assert judge.problems(body, betas=(), card=CARD) == []
    assert judge.problems(shorter, betas=(), card=CARD) == check_request(shorter, card=CARD)


def test_a_marker_that_stays_counts() -> None:
    """Four markers are all that a request may have, wherever they stand."""
    judge = Judge()
    parts = [marked(asked(), 0), marked(asked(), 0), asked(), asked(), marked(asked(), 0), asked()]
    found = [[one.rule for one in judge.problems(body, betas=(), card=CARD)] for body in requests(parts)]
    assert found == [[], [], [], [], [], ["marker-count"]]


@pytest.mark.parametrize("less", [0, 1])
def test_the_size_of_a_body_is_that_of_all_its_messages(monkeypatch: pytest.MonkeyPatch, less: int) -> None:
    """A request is too large by the byte, however much of it was judged before."""
    bodies = list(requests([called(f"toolu_{number}") for number in range(30)]))
    sizes = [len(dumps(body).encode()) for body in bodies]
    monkeypatch.setattr("sash.planning.rules.media.MAX_BODY", sizes[20] - less)
    judge = Judge()
    found = [bool(judge.problems(body, betas=(), card=CARD)) for body in bodies]
    assert found == [size > sizes[20] - less for size in sizes]


@given(histories(), st.text(st.sampled_from('a"é字\x00🙂')), st.sampled_from(sorted(MUTATIONS)))
def test_a_bound_of_the_size_of_a_body_is_never_less_than_its_size(body: Body, said: str, name: str) -> None:
    """Whatever stands in it, and however much of that has to be escaped."""
    MUTATIONS[name][0](body)
    if not _read(body).malformed:  # what is left out for its shape is not sent
        body["messages"] = [*body["messages"], {"role": "user", "content": [text(3_000 * said)]}]
        bound = read(body, card=CARD, betas=(), version="2026-10-21", bounds=True)
        assert bound.bytes >= _read(body).bytes


ODD: list[Any] = [
    {"role": "user", "content": [text("And?")]},
    {"role": "assistant", "content": [text("And.")]},
    {"role": "user", "content": [text(" ")]},
    {"role": "system", "content": [text("Be brief.")]},
    {"role": "user", "content": "And?"},
    {"role": "assistant", "content": [text(" ")]},
    {"role": "user", "content": [text("")]},
    {"role": "user", "content": []},
    {"role": "user", "content": [{"type": "text", "text": None}]},
    {"role": "user", "content": [{"type": "text"}]},
    {"role": "user", "content": [{"type": "poem", "text": "And?"}]},
    {"role": "user", "content": [{"type": "text", "text": "And?", "cache_control": {"type": "lasting"}}]},
    {"role": "user", "content": [text("And?"), result("toolu_0")]},
    {"role": "assistant", "content": [call("toolu_0")]},
    {"role": "user", "content": [text("And?")], "id": "msg_0"},
    {"role": "user"},
    {"content": [text("And?")]},
    ["user", "And?"],
]
"""What stands among talk that is not just that, of which some is legal in some places."""


def test_talk_that_is_judged_at_a_glance_is_judged_as_it_were_with_care() -> None:
    """Wherever something else stands in a talk, and where nothing does: only what is legal is passed over."""
    talk: list[Any] = [{"role": ("user", "assistant")[place % 2], "content": [text("So.")]} for place in range(5)]
    for length, odd, instead in itertools.product(range(len(talk) + 1), [None, *ODD], (0, 1)):
        for place in range(length + 1):
            messages = [*talk[:place], *filter(None, [odd]), *talk[place + instead : length]]
            body = {"model": CARD.id, "max_tokens": 500, "messages": messages}
            assert Judge().problems(body, betas=(), card=CARD) == check_request(body, card=CARD)


def test_messages_that_are_equal_and_of_another_kind_are_read_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """1 and True are equal, and True takes three bytes more on the wire."""
    *_, body = requests([called("toolu_1"), asked(), asked(), asked()])
    call = next(block for block in body["messages"][1]["content"] if block["type"] == "tool_use")
    others = [json.loads(dumps(body).replace(dumps(call["input"]), dumps({"n": value}))) for value in (1, True)]
    monkeypatch.setattr("sash.planning.rules.media.MAX_BODY", len(dumps(others[0]).encode()))
    judge = Judge()
    assert [bool(judge.problems(one, betas=(), card=CARD)) for one in others] == [False, True]


@given(st.lists(histories(), min_size=2, max_size=4), st.sampled_from(sorted(MUTATIONS)))
def test_whatever_is_broken_behind_what_was_judged_is_found(bodies: list[Body], name: str) -> None:
    """A request that was fine says nothing of one that begins alike, or of another one."""
    judge, messages = Judge(), []
    for number, body in enumerate(bodies):
        messages += [*renamed(body["messages"], number), *asked()[1:]]
        whole = {**body, "messages": messages[:-1]}
        broken = copy.deepcopy(whole)
        MUTATIONS[name][0](broken)
        for one in (whole, broken, {**whole, "messages": messages[2:-1]}, whole):
            assert judge.problems(one, betas=(), card=CARD) == check_request(one, card=CARD)


def renamed(messages: list[Message], number: int) -> list[Message]:
    """The same with ids of its own."""
    return [{**turn, "content": [_renamed(block, number) for block in turn["content"]]} for turn in messages]


def _renamed(block: Any, number: int) -> Any:
    named = block if isinstance(block, dict) else {}
    return {**named, **{key: f"{named[key]}_{number}" for key in ("id", "tool_use_id") if key in named}} or block


@given(histories())
def test_the_card_and_the_betas_are_part_of_the_verdict(body: Body) -> None:
    """What one model takes says nothing of another."""
    judge = Judge()
    sent = {**body, "messages": [*body["messages"], {"role": "system", "content": [text("Be brief.")]}]}
    for one in (CARD, card("claude-sonnet-5"), CARD):
        for betas in ((), ("compact-2026-01-12",)):
            assert judge.problems(sent, betas=betas, card=one) == check_request(sent, betas=betas, card=one)


@given(histories(), histories(), st.sampled_from(sorted(MUTATIONS)))
def test_rules_of_the_rest_say_the_same_whatever_the_messages(body: Body, other: Body, name: str) -> None:
    """What is judged once for all requests that say the same beside their messages looks at nothing of these."""
    MUTATIONS[name][0](body)
    mixed = {**body, "messages": other["messages"]}
    for rule in BESIDE_MESSAGES:
        first, second = (list(RULES[rule](_read(one))) for one in (body, mixed))
        assert first == second or not isinstance(body.get("messages"), list), rule


def _read(body: Body) -> Any:
    return read(body, card=CARD, betas=(), version="2026-10-21")


OPTIONS: list[Body] = [
    {"tools": [{"name": "look", "input_schema": {"type": "object"}}]},
    {"tools": [{"name": "look at", "input_schema": {"type": "object"}}]},
    {"max_tokens": -1},
    {"thinking": {"type": "enabled", "budget_tokens": 1}},
    {"system": [{"type": "text", "text": "Be brief."}]},
    {"system": [{"type": "text", "text": ""}]},
    {"system": [{"type": "text", "text": "Be brief.", "cache_control": MARK}], "cache_control": {"type": "lasting"}},
    {"tool_choice": {"type": "any"}},
    {"colour": "red"},
    {},
]


@given(st.lists(st.sampled_from(OPTIONS), min_size=2, max_size=8))
def test_what_changes_beside_the_messages_is_judged_anew(given: list[Body]) -> None:
    """Tools, system and options of the request before say nothing of those of the next one."""
    judge, messages = Judge(), list[Message]()
    for options in given:
        messages += asked()
        body = {"model": CARD.id, "max_tokens": 500, **options, "messages": messages[:-1]}
        assert judge.problems(body, betas=(), card=CARD) == check_request(body, card=CARD)


@given(histories(), st.sampled_from(sorted(MUTATIONS)))
def test_a_rule_that_is_not_asked_would_find_nothing(body: Body, name: str) -> None:
    """Where the messages hold no block of the types that a rule is about, it has nothing to say of them."""
    MUTATIONS[name][0](body)
    for rule, asked in RULES.items():
        anyway = getattr(asked, "__wrapped__", asked)
        assert list(asked(_read(body))) == list(anyway(_read(body))), rule


THINKING = {"type": "enabled", "budget_tokens": 2_048}


@pytest.mark.parametrize(
    ("first", "then", "rule"),
    [
        ({"max_tokens": 1}, {"max_tokens": True}, "parameter-type"),
        (
            *({"thinking": {"type": "enabled", "budget_tokens": tokens}} for tokens in (2_048, 2_048.0)),
            "thinking-budget",
        ),
    ],
)
def test_what_is_equal_and_of_another_kind_is_judged_anew(first: Body, then: Body, rule: str) -> None:
    """1, True and 1.0 are equal, and the API takes them for different values."""
    judge, model = Judge(), card("claude-sonnet-4-5")
    bodies = [{"model": model.id, "max_tokens": 4_000, **one, "messages": asked()[:1]} for one in (first, then)]
    found = [[one.rule for one in judge.problems(body, betas=(), card=model)] for body in bodies]
    assert found == [[], [rule]]
