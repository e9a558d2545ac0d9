"""The list of conversations: paged, searched, filtered."""

from __future__ import annotations

import re
from http import HTTPStatus

from sash import SqliteStore

from .conftest import Serve


def test_pages_show_each_conversation_once_newest_first(serve: Serve, store: SqliteStore) -> None:
    """Going on by `next` reaches all of them, filters kept, and ends."""
    for number in range(7):
        store.branches.open(namespace="", id=f"c{number}", user="bob")
    client, place, seen = serve(), "/?user=bob&limit=3", list[str]()
    while place:
        html = client.get(place).text
        seen += re.findall(r'class="title" href="/c/(c\d)"', html)
        found = re.search(r'href="([^"]*)" rel="next"', html)
        place = found[1].replace("&amp;", "&") + "&limit=3" if found else ""
    assert seen == [f"c{number}" for number in reversed(range(7))]


def test_what_was_said_is_found_with_its_words_marked(serve: Serve) -> None:
    """A search shows snippets that lead to their turns; what was said is text, not HTML."""
    html = serve().get("/?q=slates").text
    assert "<mark>slates</mark>" in html and 'href="/c/mill?at=' in html
    assert "Nothing was found" in serve().get("/?q=zebrawood").text


def test_ids_and_titles_are_text(serve: Serve, store: SqliteStore) -> None:
    """Markup in an id, a user, a title or a tag is shown, not run, and any id has an address of its own."""
    odd = "<script>alert(1)</script>/../%2F?#"
    store.branches.open(namespace="", id=odd, user="<b>bob</b>")
    store.describe(odd, title="\u202e<img src=x onerror=alert(1)>", metadata={"tags": ['"><i>tag']})
    html = serve().get("/").text
    assert "<script>alert" not in html and "<img src" not in html and "<i>tag" not in html and "<b>bob" not in html
    assert "\u202e" not in html and "&lt;img src=x" in html


def test_a_wrong_query_is_named(serve: Serve) -> None:
    """A cursor or number that is none is refused with the field's name, not the server's fault."""
    client = serve()
    assert client.get("/?before=zzz").status_code == HTTPStatus.BAD_REQUEST
    answer = client.get("/?limit=many")
    assert (answer.status_code, "limit" in answer.text) == (HTTPStatus.UNPROCESSABLE_ENTITY, True)
    assert client.get("/nowhere", headers={"accept": "text/html"}).status_code == HTTPStatus.NOT_FOUND
