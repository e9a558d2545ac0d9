"""Who may ask a server, and what it refuses."""

from __future__ import annotations

import logging
from http import HTTPStatus

import pytest

from sash.errors import InvalidOption
from sash.serve.errors import Discreet
from sash.serve.settings import AccessToken, ServeSettings

from .conftest import Serve

TOKEN, OTHERS = "correct-horse-battery", "another-tenants-token"
TOKENS = (AccessToken(token=TOKEN), AccessToken(token=OTHERS, namespace="acme"))
PAGE = {"accept": "text/html"}


def test_beyond_this_machine_a_token_is_needed() -> None:
    """A server without a token listens on loopback alone, and a token is not soon guessed."""
    with pytest.raises(InvalidOption, match="set a token"):
        ServeSettings(host="0.0.0.0")
    with pytest.raises(InvalidOption, match="at least 16"):
        AccessToken(token="short")
    ServeSettings(host="0.0.0.0", tokens=TOKENS)
    ServeSettings(host="[::1]")


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "evil.example:8642", ""])
def test_a_name_that_only_points_here_is_refused(serve: Serve, host: str) -> None:
    """Without a token, a page elsewhere whose name leads to this machine reads nothing: the Host tells."""
    answer = serve().get("/", headers={"host": host})
    assert answer.status_code == HTTPStatus.BAD_REQUEST
    assert "mill" not in answer.text


@pytest.mark.parametrize("host", ["localhost:8642", "127.0.0.1", "[::1]:8642"])
def test_this_machine_has_several_names(serve: Serve, host: str) -> None:
    """Names of loopback are served."""
    assert serve().get("/", headers={"host": host}).status_code == HTTPStatus.OK


@pytest.mark.parametrize(
    "headers", [{}, {"authorization": "Bearer wrong"}, {"x-api-key": TOKEN[:-1]}, {"cookie": f"sash_access={TOKEN}"}]
)
def test_without_the_token_nothing_is_shown(serve: Serve, headers: dict[str, str]) -> None:
    """No token, a wrong one, a part of one, or one itself in the cookie: 401, and a page leads to the login."""
    client = serve(tokens=TOKENS)
    assert client.get("/", headers=headers).status_code == HTTPStatus.UNAUTHORIZED
    asked = client.get("/c/mill", headers={**PAGE, **headers})
    assert (asked.status_code, asked.headers["location"]) == (HTTPStatus.SEE_OTHER, "/login?to=/c/mill")


@pytest.mark.parametrize("headers", [{"authorization": f"Bearer {TOKEN}"}, {"x-api-key": TOKEN}])
def test_a_token_in_a_header_opens(serve: Serve, headers: dict[str, str]) -> None:
    """Programs send it as bearers or as Anthropic's clients do."""
    assert "The mill house" in serve(tokens=TOKENS).get("/", headers=headers).text


def test_a_browser_signs_in_and_out(serve: Serve) -> None:
    """The cookie is strict, unreadable to scripts, and no token; without it nothing is shown again."""
    client = serve(tokens=TOKENS)
    assert client.post("/login", data={"token": "wrong"}).status_code == HTTPStatus.FORBIDDEN
    answer = client.post("/login", data={"token": TOKEN, "to": "/"})
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=strict" in cookie and TOKEN not in cookie
    assert "The mill house" in client.get("/").text
    client.post("/logout")
    assert client.get("/").status_code == HTTPStatus.UNAUTHORIZED


@pytest.mark.parametrize("place", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"])
def test_signing_in_leads_nowhere_else(serve: Serve, place: str) -> None:
    """A link to the login page with another site in it ends here."""
    answer = serve(tokens=TOKENS).post("/login", data={"token": TOKEN, "to": place})
    assert answer.headers["location"] == "/"


def test_a_tenants_token_reads_that_tenant_alone(serve: Serve) -> None:
    """Each token fixes the namespace."""
    client = serve(tokens=TOKENS)
    assert "The mill house" not in client.get("/", headers={"x-api-key": OTHERS}).text
    assert "Lacasse" not in client.get("/?q=slates", headers={"x-api-key": OTHERS}).text


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9999"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site", "origin": "http://127.0.0.1"},
    ],
)
def test_another_sites_page_changes_nothing(serve: Serve, headers: dict[str, str]) -> None:
    """A form or script of another origin is refused, on another port of this machine as well."""
    assert serve().post("/new", headers=headers).status_code == HTTPStatus.FORBIDDEN
    signed = serve(tokens=TOKENS)
    signed.post("/login", data={"token": TOKEN})
    assert signed.post("/new", headers=headers).status_code == HTTPStatus.FORBIDDEN


def test_our_own_page_and_programs_may(serve: Serve) -> None:
    """The same origin passes, and so does what is no browser."""
    client = serve()
    ours = {"origin": "http://127.0.0.1", "sec-fetch-site": "same-origin"}
    assert [client.post("/new", headers=one).status_code for one in (ours, {})] == [HTTPStatus.SEE_OTHER] * 2


@pytest.mark.parametrize("path", ["/", "/nowhere", "/static/sash.css", "/login"])
def test_every_answer_says_what_a_browser_may_do(serve: Serve, path: str) -> None:
    """No inline script or style, no frame, no sniffing; only static files may be kept."""
    headers = serve().get(path, headers=PAGE).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == ("no-cache" if "static" in path else "no-store")


@pytest.mark.parametrize("name", ["../app.py", "%2e%2e%2fapp.py", "..%5capp.py", "nothing.css", "sash.css%00"])
def test_static_files_are_a_fixed_list(serve: Serve, name: str) -> None:
    """No path leads out of the folder."""
    assert serve().get(f"/static/{name}").status_code == HTTPStatus.NOT_FOUND


def test_a_body_has_an_end(serve: Serve) -> None:
    """A body that is announced or turns out to be too large is refused."""
    client = serve(largest_body=1_000)
    assert client.post("/login", data={"token": "x" * 2_000}).status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    form = {"content-type": "application/x-www-form-urlencoded"}
    pieces = (b"x" * 500 for _ in range(9))
    assert client.post("/login", content=pieces, headers=form).status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE


def test_logs_hold_no_word_of_what_was_said() -> None:
    """Of an exception the log has its kind and place."""
    try:
        raise ValueError("my secret is zebrawood")
    except ValueError as error:
        record = logging.LogRecord("x", logging.ERROR, "", 1, "oh: %s", ("zebrawood",), (ValueError, error, None))
    assert Discreet().filter(record)
    assert record.getMessage().startswith("ValueError at ") and "zebrawood" not in record.getMessage()
