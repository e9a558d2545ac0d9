"""The other pages: a request, usage, memory, strategies."""

from __future__ import annotations

import json
import re
from html import unescape
from http import HTTPStatus

import pytest

from sash import Conversation, Recall, SqliteStore, SteppedWindow, Summarised
from sash.limits.ceilings.policy import Ceiling
from sash.limits.meter.alerts import Hour
from sash.serve.pages.usage import alerts
from sash.serve.settings import AccessToken
from sash.simulator import Simulator

from .conftest import Serve

FILLER = "Now tell me something quite different about the weather in the mountains, please, number {}. "


def test_a_request_shows_its_exact_body_and_what_differs(serve: Serve) -> None:
    """The body is the one that was sent; against the one before, two turns came."""
    sim = Simulator(thinking=False)
    client = serve(simulator=sim)
    client.post("/api/conversations/mill/send", json={"content": "And the mason?", "stream": False})
    html = client.get("/c/mill/requests/4").text
    assert json.loads(client.get("/c/mill/requests/4/body.json").text) == sim.log[-1].body
    assert re.search(r">\+</b> turns 6 to 7<", html)
    assert "Predicted and billed" in html and "system prompt" in html and "Cache markers" in html
    assert "nothing: it is the first" in client.get("/c/mill/requests/1").text
    assert client.get("/c/mill/requests/5").status_code == HTTPStatus.NOT_FOUND


def test_a_request_says_what_was_quoted_and_what_left(serve: Serve, store: SqliteStore) -> None:
    """What recall attached leads to its turns; a cut names the turns that left and why."""
    sim = Simulator()
    with Conversation(
        store, id="a", client=sim.client(), clock=sim.clock.now, budget=2_000, keep=300, max_tokens=300,
        strategy=SteppedWindow(), recall=Recall(tokens=400),
    ) as chat:  # fmt: skip
        chat.send("The password of the <cellar> is zebrawood 4471.")
        for number in range(9):
            chat.send(FILLER.format(number) * 6)
        last = chat.send("What is the password of the cellar?").number
        cut = next(n for n in range(2, last) if chat.request(n).request.why["cut"])
    client = serve()
    html = client.get(f"/c/a/requests/{last}").text
    assert "What was quoted" in html and re.search(r'turn=\d+#turn-1">turn 1</a>', html) and "<cellar>" not in html
    html = client.get(f"/c/a/requests/{cut}").text
    assert "A new window began" in html and re.search(r">-</b> turns? \d+", html)


def test_a_request_shows_the_summary_with_its_sources(serve: Serve, store: SqliteStore) -> None:
    """Who made it, of which turns, at what price."""
    sim = Simulator()
    with Conversation(
        store, id="s", client=sim.client(), clock=sim.clock.now, budget=2_000, keep=400, recall=False,
        summarise=Summarised(inner=SteppedWindow(), tokens=300),
    ) as chat:  # fmt: skip
        for number in range(12):
            chat.send(f"Cake {number} is for table {number * 7}. " + "Please write that down. " * 30)
            chat.wait_for_background()
        number = next(n for n in range(1, 13) if chat.request(n).epoch.summary)
    html = serve().get(f"/c/s/requests/{number}").text
    assert "The summary in front" in html and "Its sources" in html and "/c/s/turns/" in html


def test_usage_is_summed_by_day_model_user_and_conversation(serve: Serve, store: SqliteStore) -> None:
    """The sums are the store's; a tenant sees its own."""
    html = serve().get("/usage?days=366").text
    [day] = store.usage(by=("day",))
    assert f"{day.dollars:.6f}" in html and day.group[0] in html and "claude-sonnet-5-5" in html
    assert 'href="/memory/ann"' in html and "The mill house" in html
    assert "Nothing in this time" in serve(namespace="acme").get("/usage").text


def test_alerts_name_hours_in_which_something_was_wrong() -> None:
    """A spike and failures, the newest first; quiet hours say nothing."""
    quiet = [Hour(start=3_600.0 * n, dollars=0.1, attempts=30) for n in range(20)]
    wrong = [Hour(start=80_000.0, dollars=9.0, attempts=30), Hour(start=84_000.0, attempts=30, failures=20)]
    assert [text.split(":")[0] for _, text in alerts([*quiet, *wrong])] == ["errors", "cost spike"]
    assert alerts(quiet) == []


def test_a_profile_is_corrected_on_its_page(serve: Serve) -> None:
    """What is kept is shown, and what is removed stands in the history alone."""
    client = serve()
    assert 'href="/memory/ann"' in client.get("/memory").text
    client.post("/memory/ann/keep", data={"text": "Likes <b>slate</b>", "kind": "preference"})
    html = client.get("/memory/ann").text
    assert "Likes &lt;b&gt;slate" in html
    [entry] = re.findall(r'name="entry" value="(\d+)"', html)
    client.post("/memory/ann/remove", data={"entry": entry})
    assert "slate" not in client.get("/memory/ann").text
    assert "slate" in client.get("/memory/ann?history=1").text
    refused = client.post("/memory/ann/keep", data={"text": "", "kind": "fact"})
    assert refused.status_code == HTTPStatus.BAD_REQUEST


def test_memory_files_are_edited_by_the_tools_rules(serve: Serve, store: SqliteStore) -> None:
    """Each change is a version; no path leads out; a deleted file keeps its versions."""
    client = serve()
    for text in ("first", "second\r\nline"):
        client.post("/memory/ann/files", data={"path": "/memories/notes.md", "text": text})
    assert store.memory_files.files(user="ann")[0].text == "second\nline"
    versions = client.get("/memory/ann/versions?path=/memories/notes.md").text
    assert "first" in versions and "second" in versions
    for number in range(5):
        client.post("/memory/ann/files", data={"path": "/memories/notes.md", "text": f"draft {number}"})
    newest = client.get("/memory/ann/versions?path=/memories/notes.md").text
    older = client.get(re.findall(r'rel="next" href="([^"]+)"', newest)[0].replace("&amp;", "&")).text
    assert "draft 4" in newest and "first" not in newest and "first" in older and "draft 4" not in older
    for path in ("/etc/passwd", "/memories/../x", "/memories/notes.md/below"):
        answer = client.post("/memory/ann/files", data={"path": path, "text": "x"})
        assert answer.status_code == HTTPStatus.BAD_REQUEST
    client.post("/memory/ann/files", data={"path": "/memories/notes.md", "text": "x", "delete": "1"})
    assert store.memory_files.files(user="ann") == []


def test_a_user_is_forgotten_once_the_name_was_typed(serve: Serve, store: SqliteStore) -> None:
    """Nothing of ann is left."""
    client = serve()
    assert client.post("/memory/ann/forget", data={"confirmed": "an"}).status_code == HTTPStatus.BAD_REQUEST
    assert client.post("/memory/ann/forget", data={"confirmed": "ann"}).headers["location"] == "/memory"
    assert store.users() == [] and store.conversations() == []


def test_ceilings_show_how_full_they_are(serve: Serve) -> None:
    """Each with what was spent in its period; of users the fullest; a tenant sees its own, and of all together none."""
    ceilings = [Ceiling(dollars=2), Ceiling(tokens=90_000, per="user"), Ceiling(dollars=1, per="conversation")]
    said = {"content": "How much?", "stream": False}
    alone = serve(options={"ceilings": ceilings})
    alone.post("/api/conversations/mill/send", json=said)
    told = alone.get("/api/ceilings").json()["ceilings"]
    assert [(one["per"], one["name"]) for one in told] == [("all", ""), ("user", "ann"), ("conversation", "mill")]
    assert all(one["tokens"] > 0 and one["share"] > 0 for one in told)
    page = alone.get("/usage").text
    assert "everybody" in page and "user <b>ann</b>" in page
    tokens = (AccessToken(token="a" * 16), AccessToken(token="b" * 16, namespace="acme"))
    shared = serve(options={"ceilings": ceilings}, tokens=tokens)
    bearer = {"authorization": f"Bearer {'b' * 16}"}
    shared.post("/api/conversations/theirs/send", json={**said, "user": "bo"}, headers=bearer)
    told = shared.get("/api/ceilings", headers=bearer).json()["ceilings"]
    assert [(one["per"], one["name"]) for one in told] == [("user", "bo"), ("conversation", "theirs")]
    told = shared.get("/api/ceilings", headers={"authorization": f"Bearer {'a' * 16}"}).json()["ceilings"]
    assert [(one["per"], one["name"]) for one in told] == [("user", "ann"), ("conversation", "mill")]
    assert "Ceilings" not in serve().get("/usage").text


def test_users_are_paged(serve: Serve, store: SqliteStore) -> None:
    """All of them, by name, once."""
    for number in range(120):
        store.branches.open(namespace="", id=f"c{number}", user=f"user {number:03}")
    client, place, seen = serve(), "/memory", list[str]()
    while place:
        html = client.get(place).text
        seen += re.findall(r'class="title" href="/memory/([^"]+)"', html)
        found = re.search(r'rel="next" href="([^"]*)"', html)
        place = found[1] if found else ""
    assert seen == ["ann", *(f"user%20{number:03}" for number in range(120))]


@pytest.mark.parametrize("what", ["entries", "files"])
def test_what_is_known_of_a_user_is_paged(serve: Serve, store: SqliteStore, what: str) -> None:
    """All entries and all files, once, fifty to a page."""
    client, place, seen = serve(), "/memory/ann?history=1", list[str]()
    signs = {"entries": r"Likes number (\d+)<", "files": r'name="path" value="/memories/(\d+).md"'}
    for number in range(120):
        if what == "entries":
            store.profile("ann").set(f"Likes number {number}", kind="preference")
        else:
            client.post("/memory/ann/files", data={"path": f"/memories/{number}.md", "text": "x"})
    while place:
        html = client.get(place).text
        found = re.findall(signs[what], html)
        assert len(found) <= 50
        seen += found
        more = re.search(r'rel="next" href="([^"]*)"', html)
        place = unescape(more[1]) if more else ""
    assert sorted(seen, key=int) == [str(number) for number in range(120)]


def test_strategies_are_compared_on_demand(serve: Serve, store: SqliteStore) -> None:
    """Every rival has its row, the cheapest first; a conversation without turns says so; wrong terms are named."""
    client = serve()
    assert "least possible" not in client.get("/c/mill/strategies").text
    html = client.get("/c/mill/strategies?run=1&budget=2000&keep=500").text
    assert all(name in html for name in ("Economic(", "SteppedWindow(", "SlidingWindow(", "Everything("))
    store.branches.open(namespace="", id="empty")
    assert "Nothing was said" in client.get("/c/empty/strategies?run=1").text
    answer = client.get("/c/mill/strategies?run=1&budget=10&keep=500")
    assert answer.status_code == HTTPStatus.BAD_REQUEST
