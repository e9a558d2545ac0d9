"""The Files API: uploads are listed, described, deleted, expire, and are read where a request names them."""

from __future__ import annotations

import base64
from typing import Any

import anthropic
import pytest

from sash.simulator import Overloaded, Simulator
from sash.simulator.wire import Answer, Call

from .samples import MODEL, PIXEL, body, image, post, text, user

TEXT = b"The crate is number 4711.\r\n--\r\nIt stands on the quay.\n"


def document(file_id: str) -> dict[str, Any]:
    """A document that stands in a file."""
    return {"type": "document", "source": {"type": "file", "file_id": file_id}}


@pytest.mark.parametrize("beta", [False, True])
def test_a_file_is_read_where_a_request_names_it(client: anthropic.Anthropic, sim: Simulator, beta: bool) -> None:
    """Its text answers questions and its size counts, as if it stood in the request; the log shows what was sent."""
    files: Any = client.beta.files if beta else client.files
    told = files.upload(file=("quay/notes.txt", TEXT, "text/plain"))
    assert (told.filename, told.mime_type, told.size_bytes) == ("notes.txt", "text/plain", len(TEXT))
    asked = body(user(document(told.id), text("What number is the crate?")))
    reply = client.messages.create(**asked)
    assert "4711" in str(reply.content[-1])
    sent: Any = sim.messages[-1].body
    assert sent["messages"][0]["content"][0] == document(told.id)
    inline = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": TEXT.decode()}}
    assert reply.usage.input_tokens == sim.count(body(user(inline, text("What number is the crate?"))))
    counted = client.messages.count_tokens(model=MODEL, messages=asked["messages"])
    assert counted.input_tokens == reply.usage.input_tokens


def test_pictures_in_results_and_batches_are_read(sim: Simulator) -> None:
    """A picture is as large as it is, wherever it stands, and what it is not is refused as if it stood there."""
    with sim.client() as client:
        told = client.files.upload(file=("dot.png", base64.b64decode(PIXEL), "image/png"))
        wrong = client.files.upload(file=("dot.gif", base64.b64decode(PIXEL), "image/gif"))
        named = {"type": "image", "source": {"type": "file", "file_id": told.id}}
        client.messages.create(**body(user(named, "What is it?")))
        assert sim.messages[-1].usage is not None
        assert sim.messages[-1].usage.prompt == sim.count(body(user(image(), "What is it?")))
        made = client.messages.batches.create(requests=[{"custom_id": "a", "params": body(user(named, "What is it?"))}])
        sim.clock.advance(120)
        (result,) = client.messages.batches.results(made.id)
        assert result.result.type == "succeeded"
        with pytest.raises(anthropic.BadRequestError, match="appears to be image/png"):
            client.messages.create(**body(user({**named, "source": {"type": "file", "file_id": wrong.id}})))


def test_files_are_listed_kept_apart_and_end() -> None:
    """Pages hold every file once, newest first; others' files, deleted and expired ones are not found."""
    sim = Simulator(keys={"key-one": "w1", "key-two": "w2"})
    mine, other = sim.client(api_key="key-one", max_retries=0), sim.client(api_key="key-two", max_retries=0)
    made = [mine.files.upload(file=(f"{n}.txt", b"x", "text/plain")).id for n in range(5)]
    assert [one.id for one in mine.files.list(limit=2)] == made[::-1]
    assert [one.id for one in mine.files.list(ids=[made[1], "file_none"])] == [made[1]]
    assert list(other.files.list()) == []
    short = mine.files.upload(file=("s.txt", b"x", "text/plain"), expires_in_seconds=3_600)
    assert short.expires_at is not None and not short.downloadable
    sim.clock.advance(3_601)
    assert mine.files.delete(made[0]).type == "file_deleted"
    for client, gone in ((mine, short.id), (mine, made[0]), (other, made[1]), (mine, "file_none")):
        with pytest.raises(anthropic.NotFoundError):
            client.files.retrieve_metadata(gone)
        with pytest.raises(anthropic.NotFoundError):
            client.messages.create(**body(user(document(gone), text("What is it?"))))
    with pytest.raises(anthropic.BadRequestError, match="not downloadable"):
        mine.files.download(made[1])
    with pytest.raises(anthropic.BadRequestError, match="expires_in_seconds"):
        mine.files.upload(file=("s.txt", b"x", "text/plain"), expires_in_seconds=5)


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "limit=x", f"limit={'9' * 5_000}", "page=page_x", f"page=page_{'9' * 5_000}"]
)
def test_what_is_no_page_is_refused(query: str) -> None:
    """A limit out of bounds and a cursor that no answer gave are refused, however long they are."""
    answer = Simulator().handle(Call(method="GET", path="/v1/files", query=query))
    assert isinstance(answer, Answer) and answer.status == 400 and query[:4].encode() in answer.body


@pytest.mark.parametrize("life", ["x", "3599", "7776001", "9" * 5_000])
def test_a_life_out_of_bounds_is_refused(client: anthropic.Anthropic, life: str) -> None:
    """A file lives for an hour at least and ninety days at most, however the number is written."""
    with pytest.raises(anthropic.BadRequestError, match="expires_in_seconds: Input should be from 3600 to 7776000"):
        client.files.upload(file=("s.txt", b"x", "text/plain"), extra_body={"expires_in_seconds": life})


def test_what_is_no_upload_is_refused() -> None:
    """A body without a file, and calls that do not exist, are refused; a fault strikes files, too."""
    sim = Simulator()
    assert post(sim, {"file": "x"}, path="/v1/files")[0] == 400
    assert post(sim, {}, path="/v1/files/file_none/more")[0] == 404
    sim.fail_next(Overloaded(), path="/v1/files")
    assert post(sim, {}, path="/v1/files")[0] == 529
