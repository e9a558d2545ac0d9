"""The Messages API with a memory: what clients send, what is recorded, and how errors are told."""

from __future__ import annotations

import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import pytest

from sash import Conversation, SqliteStore
from sash.errors import Unavailable
from sash.limits import BreakerPolicy, Ceiling, Limits
from sash.serve.gateway.addressed import encoded, session_of, told
from sash.serve.gateway.remembered import SaidRecords
from sash.serve.settings import AccessToken
from sash.simulator import CutStream, Overloaded, Reply, Simulator

from .conftest import Serve
from .gateway import MILL, VERSION, body, events, held, post, user

TOOL = {"name": "look", "description": "Look it up.", "input_schema": {"type": "object", "properties": {}}}


def test_a_client_sends_what_is_new_and_is_remembered(serve: Serve) -> None:
    """One message is enough: the reply knows what was said before, and headers say what it took."""
    answer = post(serve(), user("How many slates does the roof need?"))
    said = answer.json()
    assert (said["type"], said["role"], said["stop_reason"]) == ("message", "assistant", "end_turn")
    assert "2,400" in said["content"][0]["text"]
    found = {name: answer.headers[f"x-sash-{name}"] for name in ("conversation", "request", "tokens", "cut")}
    total = sum(said["usage"][name] for name in said["usage"] if name.endswith("input_tokens"))
    assert found == {"conversation": "mill", "request": "4", "tokens": str(total), "cut": "no"}
    assert float(answer.headers["x-sash-dollars"]) > 0


def test_a_client_sends_its_whole_list(serve: Serve, store: SqliteStore) -> None:
    """Of a list that the record knows the tail alone is said; what the client holds then is the record."""
    client = serve()
    mine = held(store)
    for text in ("And the mason?", "Thank you."):
        mine.append(user(text))
        mine.append({"role": "assistant", "content": post(client, *mine).json()["content"]})
    assert [m["content"] for m in held(store)[-3:]] == [
        mine[-3]["content"], [{"type": "text", "text": "Thank you."}], mine[-1]["content"],
    ]  # fmt: skip
    assert len(held(store)) == len(mine)


def test_a_stream_is_the_apis_own_and_ends_when_it_is_recorded(serve: Serve, store: SqliteStore) -> None:
    """Events in the API's order and shape, the SDK's additions left out; the last one says what it took."""
    client = serve()
    found = events(post(client, user("How many slates?"), stream=True))
    kinds = [event["type"] for event in found]
    assert (kinds[:2], kinds[-3:]) == (
        ["message_start", "content_block_start"], ["content_block_stop", "message_delta", "message_stop"],
    )  # fmt: skip
    assert set(kinds[2:-3]) == {"content_block_delta"}
    said = "".join(event["delta"]["text"] for event in found if event["type"] == "content_block_delta")
    assert held(store)[-1]["content"] == [{"type": "text", "text": said}]
    assert found[-2]["sash"]["request"] == 4


@pytest.mark.parametrize("stream", [False, True])
def test_a_list_that_contradicts_the_record_is_refused_or_branches(
    serve: Serve, store: SqliteStore, stream: bool
) -> None:
    """409 that names the message; asked for a branch, it goes on in a conversation of its own, found again later."""
    client = serve()
    other = [*MILL, user("Is the roof new?")]
    refused = post(client, *other, stream=stream)
    assert refused.status_code == HTTPStatus.CONFLICT
    assert refused.json()["error"]["type"] == "conflict_error" and "messages.2" in refused.json()["error"]["message"]
    before, wants = held(store), {"x-sash-on-conflict": "branch"}
    branch = post(client, *other, stream=stream, headers=wants).headers["x-sash-conversation"]
    assert branch.startswith("mill~") and held(store) == before
    mine = [*held(store, branch), user("How many slates?")]
    again = post(client, *mine, headers=wants)
    assert again.headers["x-sash-conversation"] == branch
    assert len(held(store, branch)) == len(mine) + 1


def test_asked_again_it_branches_each_time(serve: Serve, store: SqliteStore) -> None:
    """A list that the record goes on behind is refused, or answered anew in a branch; each answer is found again."""
    client, wants = serve(), {"x-sash-on-conflict": "branch"}
    asked = held(store)[:-1]
    assert post(client, *asked).status_code == HTTPStatus.CONFLICT
    names = [post(client, *asked, headers=wants).headers["x-sash-conversation"] for _ in range(2)]
    assert len({"mill", *names}) == 3
    assert [len(held(store, name)) for name in names] == [6, 6]


def test_what_was_said_elsewhere_is_recorded_first(serve: Serve, store: SqliteStore) -> None:
    """A new conversation takes the past that its first list brings along."""
    client = serve()
    answer = post(client, *MILL, user("How many slates does the roof need?"), to="new")
    assert "2,400" in answer.json()["content"][0]["text"]
    assert len(held(store, "new")) == 4


def test_tools_of_the_client(serve: Serve, store: SqliteStore) -> None:
    """A call goes back to the client, its result comes with the next list, and the record holds both."""
    sim = Simulator(thinking=False)
    call = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"slate": "blue"}}
    client = serve(simulator=sim)
    sim.script([[call], "Blue ones."])
    asked = user("Which slates?")
    reply = post(client, asked, tools=[TOOL], to="tools").json()
    assert reply["stop_reason"] == "tool_use" and reply["content"][0]["input"] == {"slate": "blue"}
    result = {"type": "tool_result", "tool_use_id": reply["content"][0]["id"], "content": "blue"}
    mine = [asked, {"role": "assistant", "content": reply["content"]}, {"role": "user", "content": [result]}]
    assert post(client, *mine, tools=[TOOL], to="tools").json()["content"][0]["text"] == "Blue ones."
    assert [message["content"][0]["type"] for message in held(store, "tools")] == [
        "text", "tool_use", "tool_result", "text",
    ]  # fmt: skip


def test_a_long_result_that_is_sent_by_its_ends_is_still_what_the_client_said(serve: Serve, store: SqliteStore) -> None:
    """A list is held against what was recorded, whatever is sent of it: the client holds the whole result."""
    client = serve(options={"max_result": 100})
    messages = [user("Please call look.")]
    call = post(client, *messages, to="long", tools=[TOOL]).json()["content"]
    long = {"type": "tool_result", "tool_use_id": call[-1]["id"], "content": "A line of words.\n" * 900}
    messages += [{"role": "assistant", "content": call}, {"role": "user", "content": [long]}]
    messages += [{"role": "assistant", "content": post(client, *messages, to="long").json()["content"]}]
    again = post(client, *messages, user("And now?"), to="long")
    assert again.status_code == HTTPStatus.OK, again.text
    assert len(store.turns.read(store.branches.open(namespace="", id="long").conversation)) == len(messages) + 2


def test_what_is_remembered_of_a_record_is_what_stands_in_it(store: SqliteStore) -> None:
    """Whoever writes in between (sends, a failure, a withdrawal, redaction, an edit): lists meet the record itself."""
    sim = Simulator(thinking=False)
    with Conversation(store, id="mill", client=sim.client()) as chat:

        def fail() -> None:
            sim.fail_next(Overloaded(), times=3)
            with pytest.raises(Unavailable):
                chat.send("Nobody answers.")

        changes: list[Callable[[], Any]] = [
            *([lambda: chat.send("One more line.")] * 6),
            *(fail, chat.retry, fail, chat.withdraw),
            lambda: chat.redact(chat.history()[2]),
            lambda: chat.edit(chat.history()[6], "Something else."),
            lambda: chat.send("On."),
        ]
        records = SaidRecords(store)
        for change in changes:
            change()
            assert records.read("", "mill") == SaidRecords(store).read("", "mill")
    assert SaidRecords(store).read("", "nobody").turns == ()


def test_the_calls_own_parameters_hold(serve: Serve) -> None:
    """Model, system, tools, max_tokens and metadata of the call go out; cache markers are sash's own."""
    sim = Simulator(thinking=False)
    marked = {"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}
    post(
        serve(simulator=sim), user("Hello."), system=[marked], tools=[TOOL], model="claude-opus-5-5", max_tokens=77,
        metadata={"user_id": "bob"}, stop_sequences=["END"],
    )  # fmt: skip
    sent: Any = sim.log[-1].body
    assert (sent["model"], sent["max_tokens"], sent["metadata"]) == ("claude-opus-5-5", 77, {"user_id": "bob"})
    assert sent["system"][0]["text"] == "Be brief." and sent["tools"][0]["name"] == "look"
    assert sent["stop_sequences"] == ["END"]


@pytest.mark.parametrize("stream", [False, True])
def test_a_call_that_failed_is_sent_again_and_said_once(serve: Serve, store: SqliteStore, stream: bool) -> None:
    """Claude's own status reaches the client; the same call again sends what is pending."""
    sim = Simulator(thinking=False)
    client = serve(simulator=sim)
    sim.fail_next(Overloaded(), times=3)
    mine = [*held(store), user("And the mason?")]
    answer = post(client, *mine, stream=stream)
    assert (answer.status_code, answer.json()["error"]["type"]) == (529, "overloaded_error")
    assert answer.headers["x-should-retry"] == "false"
    counted = client.post("/v1/messages/count_tokens", json=body(*mine), headers={"x-sash-conversation": "mill"})
    assert counted.json()["input_tokens"] > 0
    assert post(client, *mine, stream=stream).status_code == HTTPStatus.OK
    assert len(held(store)) == len(mine) + 1


def test_one_submission_is_answered_once(serve: Serve, store: SqliteStore) -> None:
    """The same idempotency key gets the first reply, as list, as news and as a stream."""
    client, name = serve(), {"idempotency-key": "form-17"}
    mine = [*held(store), user("And the mason?")]
    first = post(client, *mine, headers=name).json()
    again = post(client, *mine, headers=name).json()
    news = post(client, mine[-1], headers=name).json()
    streamed = events(post(client, *mine, stream=True, headers=name))
    assert first["content"] == again["content"] == news["content"]
    text = "".join(event["delta"]["text"] for event in streamed if event["type"] == "content_block_delta")
    assert text == first["content"][0]["text"]
    assert len(held(store)) == len(mine) + 1


def test_a_stream_that_breaks_says_so_and_goes_on(serve: Serve, store: SqliteStore) -> None:
    """The last event is the API's error; what had come is recorded, and a list with or without it goes on."""
    sim = Simulator(thinking=False)
    client = serve(simulator=sim)
    mine = held(store)
    sim.script([Reply(content="Slates are laid from the eaves upwards, row by row, always.")])
    sim.fail_next(CutStream(events=4))
    found = events(post(client, *mine, user("How?"), stream=True))
    assert found[-1]["type"] == "error"
    said = found[-1]["error"]["message"]
    assert "the same call may be sent again, or one that goes on" in said and "retry()" not in said
    sim.fail_next(CutStream(events=0))
    nothing = post(client, *mine, user("How?"), stream=True)
    assert "retry()" not in nothing.text and "the same call may be sent again" in nothing.text
    assert events(post(client, *mine, user("How?"), stream=True))[-1]["type"] == "message_stop"
    assert [turn["content"] for turn in held(store)].count([{"type": "text", "text": "How?"}]) == 1
    sim.fail_next(CutStream(events=4))
    assert events(post(client, *held(store), user("Why?"), stream=True))[-1]["type"] == "error"
    assert post(client, *held(store)[:-2], user("Why?"), user("Go on.")).status_code == HTTPStatus.OK


HELD_BACK = {
    "ceiling": {"ceilings": Ceiling(dollars=1e-9)},
    "limit, for good": {"limits": Limits(input_tokens=1)},
    "limit": {"limits": Limits(requests=1), "max_wait": 0.001},
    "breaker": {"breaker": BreakerPolicy(least=1)},
}
"""Options with which the second call at the latest is not sent."""


@pytest.mark.parametrize("why", HELD_BACK)
def test_a_client_is_told_what_it_can_do_where_nothing_was_sent(serve: Serve, why: str) -> None:
    """What held a call back is said in words for somebody who has no conversation in hand, by either shape."""
    sim = Simulator(thinking=False)
    client = serve(simulator=sim, options=HELD_BACK[why])
    sim.fail_next(Overloaded(), times=9)
    post(client, user("How?"), to="before")
    answer = post(client, user("How?"))
    said = answer.json()["error"]["message"]
    assert answer.status_code in (402, 429, 529) and "; nothing was sent" in said
    again = "true" if "retry-after" in answer.headers else "false"
    assert answer.headers["x-should-retry"] == again == str("the same call may be sent again then" in said).lower()
    named = {"x-sash-conversation": "mill"}
    other = client.post("/v1/chat/completions", json=body(user("How?")), headers=named)
    assert "; nothing was sent" in other.json()["error"]["message"]


@pytest.mark.parametrize(
    ("content", "status", "kind"),
    [
        (b"{nope", 400, "invalid_request_error"),
        (b"[]", 400, "invalid_request_error"),
        (b"[" * 100_000, 400, "invalid_request_error"),
        (b'{"messages": "x"}', 400, "invalid_request_error"),
        (b'{"messages": [{"role": "user"}]}', 400, "invalid_request_error"),
        (b'{"messages": [{"role": "user", "content": [{"text": "x"}]}]}', 400, "invalid_request_error"),
        (b'{"messages": [{"role": "user", "content": 7}]}', 400, "invalid_request_error"),
        (b'{"messages": [{"role": "user", "content": null}]}', 400, "invalid_request_error"),
        (b'{"messages": [{"role": "user", "content": {"type": "text", "text": "x"}}]}', 400, "invalid_request_error"),
        (b'{"messages": [{"role": "user", "content": "\\ud800"}]}', 400, "invalid_request_error"),
        (b'{"messages": [{"role": "user", "content": "x"}], "max_tokens": "many"}', 400, "invalid_request_error"),
        (b'{"messages": [{"role": "user", "content": "x"}], "max_tokens": 5, "model": "no"}', 404, "not_found_error"),
    ],
)
@pytest.mark.parametrize("to", ["mill", "new", None])
def test_what_is_no_call_is_refused_in_the_apis_shape(
    serve: Serve, store: SqliteStore, content: bytes, status: int, kind: str, to: str | None
) -> None:
    """Whatever a body holds: an error as the API writes it, and nothing is lost or recorded as said."""
    client = serve()
    before = held(store)
    headers = {**VERSION, **({} if to is None else {"x-sash-conversation": to})}
    answer = client.post("/v1/messages", content=content, headers=headers)
    assert (answer.status_code, answer.json()["type"], answer.json()["error"]["type"]) == (status, "error", kind)
    assert answer.headers["request-id"] == answer.json()["request_id"]
    assert held(store)[: len(before)] == before


def test_without_a_name_a_call_is_passed_on(serve: Serve, store: SqliteStore) -> None:
    """Nothing is recorded, the body goes out and comes back as it is; memo and meter act, for each tenant alone."""
    sim = Simulator(thinking=False)
    tokens = (AccessToken(token="a" * 20), AccessToken(token="b" * 20, namespace="acme"))
    client = serve(simulator=sim, tokens=tokens, options={"memo": True})
    given: dict[str, Any] = {"to": None, "headers": {"authorization": f"Bearer {'a' * 20}"}}
    first, again = (post(client, user("Hello."), **given).json() for _ in range(2))
    assert first["id"] == again["id"] and "sash_memo" in again
    post(client, user("Hello."), to=None, headers={"authorization": f"Bearer {'b' * 20}"})
    assert len(sim.log) == 2
    assert events(post(client, user("Hi."), stream=True, **given))[-1]["type"] == "message_stop"
    assert [info.id for info in store.conversations()] == ["mill"]


def test_tokens_are_counted_of_what_would_be_sent(serve: Serve, store: SqliteStore) -> None:
    """With a name of the request that the call would make, without one of the body."""
    client = serve()
    named = client.post("/v1/messages/count_tokens", json=body(user("Hi")), headers={"x-sash-conversation": "mill"})
    alone = client.post(
        "/v1/messages/count_tokens", json={"model": body()["model"], "messages": [user("Hi")]}, headers=VERSION
    )
    assert named.json()["input_tokens"] > alone.json()["input_tokens"] > 0
    assert len(held(store)) == 6


def test_models_are_listed_for_clients_of_both_apis(serve: Serve) -> None:
    """As the API lists them; with OpenAI's fields for those who name no version."""
    client = serve()
    assert client.get("/v1/models?limit=1", headers=VERSION).json()["data"][0].keys() & {"owned_by", "id"} == {"id"}
    found = client.get("/v1/models/claude-sonnet-5-5").json()
    assert (found["id"], found["object"], found["owned_by"]) == ("claude-sonnet-5-5", "model", "anthropic")
    assert client.get("/v1/models/none", headers=VERSION).json()["error"]["type"] == "not_found_error"


def test_a_tenants_token_fixes_the_namespace(serve: Serve, store: SqliteStore) -> None:
    """The same id in another namespace is another conversation; to name another namespace is refused."""
    tokens = (AccessToken(token="a" * 20), AccessToken(token="b" * 20, namespace="acme"))
    client = serve(tokens=tokens)
    theirs = {"x-api-key": "b" * 20}
    assert "2,400" not in post(client, user("How many slates?"), headers=theirs).text
    refused = post(client, user("How many slates?"), headers={**theirs, "x-sash-namespace": ""})
    assert refused.status_code == HTTPStatus.OK
    refused = post(client, user("How many slates?"), headers={"x-api-key": "a" * 20, "x-sash-namespace": "acme"})
    assert (refused.status_code, refused.json()["error"]["type"]) == (403, "permission_error")
    nobody = post(client, user("x"))
    assert (nobody.status_code, nobody.json()["error"]["type"]) == (401, "authentication_error")
    assert len(held(store)) == 6


@pytest.mark.parametrize(
    "id", ["a/b?c#d", "ä 漢字", "100%", "x" * 2_000, "a\r\nset-cookie: x=1", "'; DROP TABLE turns;--"]
)
def test_any_id_may_be_named_by_a_header(serve: Serve, store: SqliteStore, id: str) -> None:
    """Percent-encoded both ways: no header is broken by it, and it is one conversation."""
    client = serve()
    for _ in range(2):
        answer = post(client, user("Hello."), to=encoded(id))
        assert "set-cookie" not in answer.headers
        assert told(answer.headers, "conversation") == id
    assert len(held(store, id)) == 4


@pytest.mark.parametrize(
    ("name", "value"), [("messages", "some"), ("on-conflict", "x"), ("budget", "-1"), ("budget", "²"), ("memory", "x")]
)
def test_a_wrong_header_is_named(serve: Serve, name: str, value: str) -> None:
    """400 with the header's name."""
    answer = post(serve(), user("x"), headers={f"x-sash-{name}": value.encode()})
    assert answer.status_code == HTTPStatus.BAD_REQUEST and f"x-sash-{name}" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("given", "session"),
    [
        ("user_0a_account__session_123e4567-e89b-12d3-a456-426614174000", "123e4567-e89b-12d3-a456-426614174000"),
        (json.dumps({"device_id": "d", "account_uuid": "", "session_id": "s-1"}), "s-1"),
        ("bob", None), ("7", None), ('{"session_id": 7}', None), (None, None),
    ],
)  # fmt: skip
def test_a_session_names_a_conversation(given: Any, session: str | None) -> None:
    """Claude Code says which of its sessions asks, in either of its forms; nobody else is taken for it."""
    assert session_of({"metadata": {"user_id": given}}) == session


def test_sessions_are_recorded_and_branch(serve: Serve, store: SqliteStore) -> None:
    """Without a header the session is the conversation; what it asks beside goes on in a branch."""
    client = serve()
    meta = {"user_id": json.dumps({"session_id": "s-1"})}
    asked = user("The order number is 4711.")
    reply = {"role": "assistant", "content": post(client, asked, to=None, metadata=meta).json()["content"]}
    beside = post(client, user("A title for this, please."), to=None, metadata=meta)
    assert beside.headers["x-sash-conversation"].startswith("s-1~")
    post(client, asked, reply, user("What is the order number?"), to=None, metadata=meta)
    assert len(held(store, "s-1")) == 4


@pytest.mark.parametrize(("version", "status"), [("2023-06-01", 200), ("2026-10-21", 400)])
def test_a_call_is_judged_by_the_version_it_names(serve: Serve, version: str, status: int) -> None:
    """Sampling parameters pass where the version of the call has them, and go out; else nothing is sent."""
    sim = Simulator(thinking=False)
    answer = post(serve(simulator=sim), user("Hello."), temperature=0.5, headers={"anthropic-version": version})
    assert answer.status_code == status, answer.text
    sent: list[Any] = [attempt.body for attempt in sim.log if attempt.body]
    assert [one["temperature"] for one in sent] == [0.5] * (status == HTTPStatus.OK)
