"""The JSON API: what pages do, for programs; replies as events; what goes wrong, named."""

from __future__ import annotations

import base64
import json
from http import HTTPStatus
from typing import Any

import pytest
from starlette.testclient import TestClient

from sash import SqliteStore
from sash.serve.settings import AccessToken
from sash.simulator import CutStream, Overloaded, Simulator

from .conftest import PNG, Serve

MILL = "/api/conversations/mill"
WHOLE = {"content": "x", "stream": False}


def events(client: TestClient, what: str, **body: Any) -> list[tuple[str, dict[str, Any]]]:
    """What a streamed reply tells."""
    answer = client.post(f"{MILL}/{what}", json=body)
    assert answer.headers["content-type"].startswith("text/event-stream"), answer.text
    pairs = [event.split("\n", 1) for event in answer.text.split("\n\n") if event]
    return [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in pairs]


def test_a_reply_comes_as_events(serve: Serve, store: SqliteStore) -> None:
    """start, the text in pieces, and in the end the reply as it stands in the record."""
    found = events(serve(), "send", content="How many slates does the roof need?")
    names = [name for name, _ in found]
    assert (names[0], names[-1]) == ("start", "done") and names.count("text") > 1
    done = found[-1][1]
    assert "".join(facts["text"] for name, facts in found if name == "text") == done["text"] != ""
    newest = store.turns.read(store.branches.open(namespace="", id="mill").conversation, limit=1, newest=True)[0]
    assert (newest.id, newest.text, newest.state) == (done["turn"], done["text"], "answered")


def test_a_reply_comes_whole(serve: Serve) -> None:
    """`stream: false` gives one answer; the same token twice is sent once; a new id begins a conversation."""
    client = serve()
    body = {"content": "The order number is 4711.", "stream": False, "token": "a", "user": "bob", "system": "Be brief."}
    first, again = (client.post("/api/conversations/new/send", json=body).json() for _ in range(2))
    assert first["turn"] == again["turn"]
    assert client.get("/api/conversations/new").json()["user"] == "bob"
    assert len(client.get("/api/conversations/new/turns").json()["turns"]) == 2


def test_retry_regenerate_and_edit_stream_as_well(serve: Serve) -> None:
    """After a failure `retry` sends again; the others make branches; the error event says what state the turn is in."""
    sim = Simulator(thinking=False)
    client = serve(simulator=sim, options={"max_wait": 1})
    sim.fail_next(Overloaded(), times=3)
    name, facts = events(client, "send", content="And the mason?")[-1]
    assert (name, facts["state"]) == ("error", "pending")
    assert events(client, "retry")[-1][0] == "done"
    assert events(client, "regenerate")[-1][0] == "done"
    asked = [turn for turn in client.get(f"{MILL}/turns").json()["turns"] if turn["role"] == "user"][-1]
    assert events(client, "edit", turn=asked["id"], content="And the roof?")[-1][0] == "done"
    assert len(client.get(f"{MILL}/branches").json()["branches"]) == 3


def test_a_cut_stream_is_recorded_as_interrupted(serve: Serve) -> None:
    """What had come stays; the event says so."""
    sim = Simulator(thinking=False)
    client = serve(simulator=sim)
    sim.script(["One two three four five six seven eight nine ten. " * 3])
    sim.fail_next(CutStream(events=5))
    name, facts = events(client, "send", content="Tell me about the roof and its slates, please.")[-1]
    assert (name, facts["error"]["type"]) == ("error", "ReplyInterrupted")
    assert client.get(f"{MILL}/turns").json()["turns"][-1]["state"] == "interrupted"


def test_files_go_with_what_is_said(serve: Serve) -> None:
    """Bytes in base64 become what Claude reads; what is no file of these is refused before anything is written."""
    client = serve()
    data = base64.b64encode(PNG).decode()
    events(client, "send", content="What is this?", files=[{"name": "a.png", "data": data}])
    turn = client.get(f"{MILL}/turns").json()["turns"][-2]
    assert [block["type"] for block in turn["content"]] == ["image", "text"]
    zipped = base64.b64encode(b"PK\x03\x04 zip").decode()
    refused = client.post(f"{MILL}/send", json={"content": "?", "files": [{"name": "a.zip", "data": zipped}]})
    assert "ZIP" in refused.text
    wrong = client.post(f"{MILL}/send", json={"content": "?", "files": [{"data": "%%%"}]})
    assert wrong.status_code == HTTPStatus.UNPROCESSABLE_ENTITY


def test_a_plan_sends_and_writes_nothing(serve: Serve) -> None:
    """The parts add up to about the prompt, and the record is as before."""
    sim = Simulator(thinking=False)
    client = serve(simulator=sim)
    before = client.get(f"{MILL}/turns").json()
    plan = client.post(f"{MILL}/plan", json={"content": "How many slates?"}).json()
    assert abs(sum(part["tokens"] for part in plan["parts"]) - plan["tokens"]) < 0.3 * plan["tokens"]
    assert "prompt" in plan["explanation"] and plan["budget"] == 32_000
    assert client.get(f"{MILL}/turns").json() == before and sim.log == []


def test_requests_usage_and_search(serve: Serve) -> None:
    """What was sent is rebuilt; sums and hits are those of the store."""
    client = serve()
    rows = client.get(f"{MILL}/requests").json()["requests"]
    assert [row["number"] for row in rows] == [3, 2, 1]
    sent = client.get(f"{MILL}/requests/2").json()
    assert sent["intact"] and sent["body"]["messages"][-1]["role"] == "user"
    [line] = client.get("/api/usage?by=user").json()["usage"]
    assert (line["group"], line["requests"]) == ({"user": "ann"}, 3)
    assert client.get("/api/search?q=mason").json()["hits"][0]["conversation"] == "mill"


def test_what_is_known_of_a_user_is_kept_ended_and_forgotten(serve: Serve) -> None:
    """An entry made by hand holds until it is removed; forgetting takes all of the user."""
    client = serve()
    made = client.post("/api/users/ann/profile", json={"text": "Lives in Utrecht", "kind": "fact"}).json()
    assert made["id"] in [one["id"] for one in client.get("/api/users/ann/profile").json()["entries"]]
    assert client.delete(f"/api/users/ann/profile/{made['id']}").json() == {"done": True}
    gone = client.post("/api/users/ann/forget", json={"reason": "asked"}).json()
    assert gone["conversations"] == 1
    assert client.get(MILL).status_code == HTTPStatus.NOT_FOUND
    assert client.post("/api/users/ann/forget", json={}).status_code == HTTPStatus.NOT_FOUND


def test_conversations_are_described_forked_pinned_deleted(serve: Serve) -> None:
    """Each change shows in what is read next."""
    client = serve()
    told = client.patch(MILL, json={"title": "A mill", "tags": ["a", "a", "b"]}).json()
    assert (told["title"], told["tags"], told["user"]) == ("A mill", ["a", "b"], "ann")
    reply = client.get(f"{MILL}/turns").json()["turns"][1]
    fork = client.post(f"{MILL}/fork", json={"at": reply["id"], "id": "a/fork"}).json()
    assert (fork["id"], fork["turns"]) == ("a/fork", 2)
    assert client.get("/api/conversations/a%2Ffork").json()["id"] == "a/fork"
    assert client.post(f"{MILL}/pins", json={"turn": reply["id"]}).json() == {"done": True}
    assert client.request("DELETE", MILL, json={}).json()["heirs"] == ["a/fork"]
    assert [one["id"] for one in client.get("/api/conversations").json()["conversations"]] == ["a/fork"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/api/conversations/none", None, HTTPStatus.NOT_FOUND),
        ("POST", f"{MILL}/send", {"content": "x", "modell": "y"}, HTTPStatus.UNPROCESSABLE_ENTITY),
        (
            "POST",
            f"{MILL}/send",
            {"content": "x", "model": "claude-sonet-5-5", "stream": False},
            HTTPStatus.BAD_REQUEST,
        ),
        ("POST", f"{MILL}/send", {"content": "x", "user": "bob", "stream": False}, HTTPStatus.BAD_REQUEST),
        ("POST", f"{MILL}/branches", {"branch": 99}, HTTPStatus.NOT_FOUND),
        ("GET", f"{MILL}/requests/99", None, HTTPStatus.NOT_FOUND),
        ("GET", "/api/usage?by=colour", None, HTTPStatus.BAD_REQUEST),
        ("GET", "/api/search", None, HTTPStatus.UNPROCESSABLE_ENTITY),
        ("PUT", MILL, {}, HTTPStatus.METHOD_NOT_ALLOWED),
    ],
)
def test_what_cannot_be_is_named(serve: Serve, method: str, path: str, body: Any, status: HTTPStatus) -> None:
    """An error in JSON, with a status that says whose move is next."""
    answer = serve().request(method, path, json=body)
    assert answer.status_code == status
    assert set(answer.json()["error"]) == {"type", "message"}


def test_a_body_that_is_no_json_of_the_schema_is_not_repeated(serve: Serve) -> None:
    """What was given may be somebody's words: the error names the field alone."""
    answer = serve().post(f"{MILL}/send", json={"content": {"secret": "zebrawood"}})
    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY and "zebrawood" not in answer.text
    form = serve().post(f"{MILL}/send", data={"content": "x"})
    assert form.status_code == HTTPStatus.UNSUPPORTED_MEDIA_TYPE


def test_tokens_wall_the_api_too(serve: Serve) -> None:
    """Another tenant's token finds nothing by any path."""
    tokens = (AccessToken(token="first-tenants-token"), AccessToken(token="other-tenants-token", namespace="acme"))
    client = serve(tokens=tokens, headers={"x-api-key": "other-tenants-token"})
    for path in (MILL, f"{MILL}/turns", f"{MILL}/requests/1", f"{MILL}/branches"):
        assert client.get(path).status_code == HTTPStatus.NOT_FOUND
    assert client.get("/api/search?q=mason").json() == {"hits": []}
    assert client.get("/api/usage").json() == {"usage": []}
    assert client.get("/api/conversations").json()["conversations"] == []


def test_the_document_describes_every_endpoint(serve: Serve) -> None:
    """OpenAPI 3.1: each path with its models, every reference resolved; the page of it shows all of them."""
    client = serve()
    told = client.get("/api/openapi.json").json()
    assert told["openapi"] == "3.1.0" and len(told["paths"]) > 15
    schemas = told["components"]["schemas"]
    refs = {part.split('"')[0] for part in json.dumps(told).split('"$ref": "#/components/schemas/')[1:]}
    assert refs <= set(schemas)
    page = client.get("/api/docs").text
    assert all(path in page for path in told["paths"])
