"""The chatbot for the web: streams, tells tabs apart from users, answers once, stops at its ceiling."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from examples.conftest import Load

pytest.importorskip("fastapi")
from fastapi.testclient import TestClient


@pytest.fixture
def example(load: Load) -> Any:
    """The example's module."""
    return load("fastapi_chat/app.py")


@pytest.fixture
def web(example: Any) -> Iterator[TestClient]:
    """Somebody's browser."""
    with TestClient(example.app) as client:
        yield client


def say(web: TestClient, text: str, *, user: str = "ann", token: str = "") -> list[dict[str, Any]]:
    """The events of a reply."""
    answer = web.post("/say", json={"text": text, "token": token or text[:50]}, headers={"X-User": user})
    assert answer.headers["content-type"].startswith("text/event-stream")
    return [json.loads(line.removeprefix("data: ")) for line in answer.text.split("\n\n") if line]


def turns(web: TestClient, *, user: str = "ann", after: int = 0) -> list[str]:
    """What a tab sees."""
    found = web.get("/turns", params={"after": after}, headers={"X-User": user}).json()
    return [turn["text"] for turn in found]


def test_replies_stream_and_another_tab_sees_them(web: TestClient) -> None:
    """A reply comes in pieces, its end says what it cost; another tab asks for what it has not seen."""
    *pieces, end = say(web, "I'm Ann, and my order is 4711.")
    assert len(pieces) > 1 and end["done"] and 0 < end["cost"] <= end["spent"]
    assert turns(web) == ["I'm Ann, and my order is 4711.", "".join(piece["text"] for piece in pieces)]
    assert turns(web, after=1) == turns(web)[1:]
    assert "4711" in "".join(event.get("text", "") for event in say(web, "What was my order?"))


def test_users_do_not_see_each_other(web: TestClient) -> None:
    """Each user has a conversation; who is nobody gets nothing."""
    say(web, "I'm Ann, and my order is 4711.")
    assert "4711" not in str(say(web, "What was my order?", user="bob")) + str(turns(web, user="bob"))
    assert web.get("/turns").status_code == 422 and web.get("/turns", headers={"X-User": "../x"}).status_code == 401


def test_a_double_click_is_answered_once(web: TestClient) -> None:
    """The same token again gets the first reply, and nothing is sent."""
    first, again = say(web, "Hello.", token="click"), say(web, "Hello.", token="click")
    assert "".join(e.get("text", "") for e in first) == "".join(e.get("text", "") for e in again)
    assert len(turns(web)) == 2


def test_nobody_overspends(web: TestClient, example: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the ceiling the user is told so, nothing is sent, and other users go on."""
    monkeypatch.setattr(example, "A_DAY", example.Ceiling(dollars=0.02, per="user"))
    assert "error" not in str(say(web, "Hello."))
    told = [say(web, f"Number {n}. " + "More and more. " * 900)[-1] for n in range(4)]
    assert "enough for today" in told[-1]["error"]
    assert say(web, "Hello.", user="bob")[-1]["done"]


def test_two_tabs_at_once_are_answered_in_order(example: Any, web: TestClient) -> None:
    """What two tabs say at the same time stands in one line: question, answer, question, answer."""

    async def both() -> None:
        async def one(text: str) -> list[str]:
            return [piece async for piece in example.events(example.Said(text=text, token=text), "ann")]

        await asyncio.gather(one("Tab one asks."), one("Tab two asks."))

    asyncio.run(both())
    said = turns(web)
    assert [text in ("Tab one asks.", "Tab two asks.") for text in said] == [True, False, True, False]


def test_the_page_is_there(web: TestClient, tmp_path: Path) -> None:
    """The page loads nothing from elsewhere and shows words as text."""
    page = web.get("/").text
    assert "/say" in page and "http" not in page and "innerHTML" not in page
    assert not list(tmp_path.iterdir())
