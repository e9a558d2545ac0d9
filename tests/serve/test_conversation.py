"""A conversation's page and the forms on it: a page of turns, the window, branches, pictures."""

from __future__ import annotations

import re
from http import HTTPStatus

import pytest

from sash import Conversation, File, SqliteStore, SteppedWindow
from sash.simulator import Simulator

from .conftest import PNG, Serve

HOSTILE = (
    "<script>alert(1)</script> <img src=x onerror=alert(2)> [a](javascript:alert(3)) [b](data:text/html,x) "
    "![p](http://evil.example/x.png) <details open ontoggle=alert(4)> \u202egnp.exe"
)


def test_the_transcript_is_paged(serve: Serve, store: SqliteStore) -> None:
    """The newest turns first; going back by `prev` shows every turn once, however many there are."""
    with Conversation(store, id="long", client=Simulator().client()) as chat:
        chat.extend({"role": ("user", "assistant")[n % 2], "content": f"turn {n}"} for n in range(101))
    client, place, seen = serve(), "/c/long", list[int]()
    while place:
        html = client.get(place).text
        seen = [*map(int, re.findall(r'id="turn-(\d+)"', html)), *seen]
        found = re.search(r'href="([^"]*)" rel="prev"', html)
        place = found[1] if found else ""
    assert seen == list(range(1, 102))
    assert 'id="turn-50"' in client.get("/c/long?at=50").text


def test_the_page_shows_window_requests_and_transcript(serve: Serve) -> None:
    """Each part of the window says its tokens and why it is in; each request what it was billed."""
    html = serve().get("/c/mill").text
    assert html.count('class="k-user"') >= 4 and "tools and system prompt" in html
    assert re.search(r"user&#39;s turn 1: \d+ tokens \(\w+\)", html)
    assert re.search(r"Request 3: [\d,]+ prompt tokens, \d+% from the cache, \$0\.\d+; predicted [\d,]+", html)
    assert "18,450 euros" in html


def test_turns_that_left_the_window_say_so(serve: Serve, store: SqliteStore) -> None:
    """They are shown, marked as not sent, and the chart has the cuts with their reasons."""
    client = Simulator(thinking=False).client()
    with Conversation(
        store, id="cut", client=client, strategy=SteppedWindow(), budget=700, keep=100, recall=False
    ) as chat:
        for number in range(9):
            chat.send(f"Fact {number}: " + "the weather in the mountains is quite nice. " * 9)
    html = serve(budget=700).get("/c/cut").text
    assert "not sent" in html and "The window begins here" in html and 'class="c-cut"' in html


def test_what_was_said_is_shown_never_run(serve: Serve, store: SqliteStore) -> None:
    """Markup, odd links and pictures from elsewhere in a text stay text; nothing is loaded from another server."""
    with Conversation(store, id="odd", client=Simulator().client()) as chat:
        chat.extend([{"role": "user", "content": HOSTILE}, {"role": "assistant", "content": HOSTILE}])
    html = serve().get("/c/odd").text
    assert not re.search(r"<(script|img|details)[^>]*(alert|evil|ontoggle|src=x)", html)
    assert 'href="javascript:' not in html and 'href="data:' not in html and 'src="http' not in html
    assert "&lt;script&gt;" in html and "gnp.exe" in html


def test_calls_stand_with_their_results_and_pictures_are_shown(serve: Serve, store: SqliteStore) -> None:
    """A call is folded with what came of it; a picture has an address of its own and is served as what it is."""
    call = {"type": "tool_use", "id": "toolu_1", "name": "order_status", "input": {"order": 4711}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "It leaves at nine."}
    with Conversation(store, id="acts", client=Simulator().client()) as chat:
        chat.extend(
            [{"role": "user", "content": ["Where is it?", File(PNG)]}, {"role": "assistant", "content": [call]}]
        )
        chat.extend([{"role": "user", "content": [result]}, {"role": "assistant", "content": "At nine."}])
    client = serve()
    html = client.get("/c/acts").text
    assert html.index("order_status") < html.index("It leaves at nine.") and html.count("It leaves at nine.") == 2
    [place] = re.findall(r'<img src="([^"]+)"', html)
    shown = client.get(place)
    assert (shown.headers["content-type"], shown.content) == ("image/png", PNG)
    assert client.get(place[:-1] + "1").status_code == HTTPStatus.NOT_FOUND
    reply = store.turns.read(store.branches.open(namespace="", id="acts").conversation)[-1]
    fork = client.post("/c/acts/fork", data={"turn": reply.id}).headers["location"]
    [shared] = re.findall(r'<img src="([^"]+)"', client.get(fork).text)
    assert client.get(shared).content == PNG


def test_a_long_text_is_cut_off_and_has_a_page_of_its_own(serve: Serve, store: SqliteStore) -> None:
    """A page of turns stays small; the whole text is one click away."""
    with Conversation(store, id="huge", client=Simulator().client()) as chat:
        chat.extend([{"role": "user", "content": "word " * 50_000 + "the end"}])
    client = serve(budget=200_000)
    html = client.get("/c/huge").text
    assert len(html) < 100_000 and "the end" not in html
    [place] = set(re.findall(r'href="(/c/huge/turns/\d+)"', html))
    assert "the end" in client.get(place).text


def test_branches_can_be_gone_to(serve: Serve, store: SqliteStore) -> None:
    """The other branch is named where it leaves; going there shows its turns, and only branches of ours are gone to."""
    with Conversation(store, id="mill", client=Simulator(thinking=False).client()) as chat:
        chat.edit(chat.history()[-2], "How much does the mason want?")
    client = serve()
    html = client.get("/c/mill").text
    assert "How much does the mason want?" in html and "How many slates does" not in html
    [branch] = set(re.findall(r'name="branch" value="(\d+)"', html))
    assert client.post("/c/mill/branch", data={"branch": branch}).status_code == HTTPStatus.SEE_OTHER
    assert "How many slates does" in client.get("/c/mill").text
    other = store.branches.open(namespace="", id="other").branch
    assert client.post("/c/mill/branch", data={"branch": other}).status_code == HTTPStatus.NOT_FOUND


def test_forks_pins_names_and_deletion(serve: Serve, store: SqliteStore) -> None:
    """Each form does what it says; deletion asks for the id."""
    client = serve()
    first, reply = store.turns.read(store.branches.open(namespace="", id="mill").conversation)[:2]
    fork = client.post("/c/mill/fork", data={"turn": reply.id}).headers["location"]
    assert "18,450" not in client.get(fork).text
    client.post("/c/mill/pin", data={"turn": first.id, "pinned": "1"})
    client.post("/c/mill/settings", data={"title": "A mill", "tags": "home, , work,home"})
    info = store.describe("mill")
    assert (info.title, info.metadata["tags"]) == ("A mill", ["home", "work"])
    assert client.post("/c/mill/delete", data={"confirmed": "mil"}).status_code == HTTPStatus.BAD_REQUEST
    assert client.post("/c/mill/delete", data={"confirmed": "mill"}).headers["location"] == "/"
    assert client.get("/c/mill").status_code == HTTPStatus.NOT_FOUND
    assert client.get(fork).status_code == HTTPStatus.OK


def test_a_turn_is_redacted_once_its_number_was_typed(serve: Serve, store: SqliteStore) -> None:
    """A wrong number changes nothing; the right one takes its words out of page and search; talk goes on."""
    client = serve()
    key = store.branches.open(namespace="", id="mill").conversation
    turn = store.turns.read(key)[2]
    place = f"/c/mill/turns/{turn.id}"
    assert f'href="{place}#redact"' in client.get("/c/mill").text
    assert f'action="{place}/redact"' in client.get(place).text
    assert client.post(f"{place}/redact", data={"confirmed": "1"}).status_code == HTTPStatus.BAD_REQUEST
    assert "18,450" in client.get(place).text
    assert client.post(f"{place}/redact", data={"confirmed": "3"}).headers["location"] == "/c/mill"
    assert "18,450" not in client.get(place).text
    assert turn.seq not in {hit.seq for hit in store.search("18,450", namespace="")}
    sent = client.post("/api/conversations/mill/send", json={"content": "And now?", "stream": False})
    assert sent.status_code == HTTPStatus.OK


def test_a_turn_on_another_branch_is_redacted_too(serve: Serve, store: SqliteStore) -> None:
    """On its page and by the API: the branch that one looks at does not matter."""
    with Conversation(store, id="mill", client=Simulator(thinking=False).client()) as chat:
        left = chat.history()[-4:]
        chat.edit(left[0], "The mason is gone.")
    client = serve()
    page = client.post(f"/c/mill/turns/{left[0].id}/redact", data={"confirmed": str(left[0].seq)})
    told = client.post(f"/api/conversations/mill/turns/{left[1].id}/redact", json={"reason": "asked for"})
    assert page.status_code == HTTPStatus.SEE_OTHER and told.json() == {"turns": 1}
    assert not any("18,450" in client.get(f"/c/mill/turns/{turn.id}").text for turn in left[:2])
    assert client.post("/api/conversations/mill/turns/999/redact", json={}).status_code == HTTPStatus.NOT_FOUND


@pytest.mark.parametrize("path", ["/c/none", "/c/mill/turns/999", "/c/mill/settings/x", "/c/none/settings"])
def test_what_is_not_there_is_not_found(serve: Serve, path: str) -> None:
    """404, in words, for a page."""
    answer = serve().get(path, headers={"accept": "text/html"})
    assert answer.status_code == HTTPStatus.NOT_FOUND and "<h1>" in answer.text


@pytest.mark.parametrize("number", ["", "one", "-1", "9" * 30, "9" * 5_000])
@pytest.mark.parametrize(("path", "field"), [("/c/mill/pin", "turn"), ("/memory/ann/remove", "entry")])
def test_a_field_that_holds_no_number_is_named(serve: Serve, path: str, field: str, number: str) -> None:
    """However long what a form holds is: 400, and the field's name."""
    answer = serve().post(path, data={field: number})
    assert answer.status_code == HTTPStatus.BAD_REQUEST and f"{field}: a number belongs there" in answer.text
