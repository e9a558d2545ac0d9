"""Files in a message: told by their content, checked before anything is written, the same for every way to talk."""

from __future__ import annotations

import asyncio
import base64
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import sash
from sash import AsyncConversation, Conversation, File
from sash.errors import InvalidContent
from sash.model.blocks import Block
from sash.model.files import TEXT, file_block, media_type
from sash.planning.rules import check_request
from sash.simulator import Simulator
from sash.simulator.checks import problems


def png(width: int = 2, height: int = 1, padding: int = 0) -> bytes:
    """A PNG image of this size; `padding` more bytes in it."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compress(b"".join(b"\0" + b"\0" * width for _ in range(height)))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    more = chunk(b"teXt", b"x" * padding) if padding else b""
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + more + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


JPEG = (
    b"\xff\xd8\xff\xe0\x00\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0\xff\xc0\x00\x11\x08\x00\x02\x00\x03\x03"
    + b"\1\x11\0" * 3
)
GIF = b"GIF89a\x02\x00\x01\x00\x00\x00\x00;"
WEBP = b"RIFF\x1a\0\0\0WEBPVP8L\x0d\0\0\0\x2f\x00\x00\x00\x00\x00\x00\x00"
PDF = b"%PDF-1.7\n1 0 obj << /Type /Page >> endobj\n"


@pytest.fixture
def sim() -> Simulator:
    return Simulator()


@pytest.fixture
def chat(sim: Simulator) -> Iterator[Conversation]:
    with Conversation(client=sim.client()) as made:
        yield made


def sent(sim: Simulator) -> list[Block]:
    """The blocks of the newest message that was sent, without markers."""
    blocks = sim.log[-1].body["messages"][-1]["content"]
    return [{name: value for name, value in block.items() if name != "cache_control"} for block in blocks]


def test_files_become_the_blocks_that_claude_reads(sim: Simulator, chat: Conversation, tmp_path: Path) -> None:
    """An image, a PDF and a text beside a question, told by content whatever the files are called."""
    names = {"photo.txt": png(), "contract": PDF, "notes.md": "Crate 9 is blue. ☂\n".encode()}
    for name, data in names.items():
        (tmp_path / name).write_bytes(data)
    assert "blue" in chat.send(["What colour is crate 9?", *(tmp_path / name for name in names)]).text
    question, image, contract, notes = sent(sim)
    assert question == {"type": "text", "text": "What colour is crate 9?"}
    assert image["type"] == "image"
    assert image["source"] == {"type": "base64", "media_type": "image/png", "data": base64.b64encode(png()).decode()}
    assert (contract["type"], contract["title"], contract["source"]["media_type"]) == (
        "document", "contract", "application/pdf")  # fmt: skip
    assert notes == {
        "type": "document",
        "source": {"type": "text", "media_type": "text/plain", "data": "Crate 9 is blue. ☂\n"},
        "title": "notes.md",
    }


@pytest.mark.parametrize(
    ("data", "kind"),
    [(png(), "image/png"), (JPEG, "image/jpeg"), (GIF, "image/gif"), (WEBP, "image/webp"), (PDF, "application/pdf"),
     (b"plain", TEXT), ("\ufeffmarked".encode(), TEXT), ("wide ☂".encode("utf-16"), TEXT), (b"caf\xe9", ""),
     (b"a\0b", ""), (b"PK\x03\x04rest", "")],
)  # fmt: skip
def test_kinds_are_told_by_content(data: bytes, kind: str) -> None:
    """By the first bytes, or as text that decodes."""
    assert media_type(data) == kind


def test_text_is_text_without_its_mark() -> None:
    """The mark of UTF-8 or UTF-16 is no part of what is said."""
    for data in ("\ufeffwide ☂".encode(), "wide ☂".encode("utf-16")):
        assert file_block(File(data))["source"]["data"] == "wide ☂"


def test_bytes_with_a_media_type(sim: Simulator, chat: Conversation) -> None:
    """A File stands for bytes that lie in no file; its type, if given, must be that of its content."""
    chat.send([File(png(), "image/png"), File(b"blue", "text/markdown", name="colour.md"), File(PDF), "What is this?"])
    assert [block["type"] for block in sent(sim)] == ["image", "document", "document", "text"]
    assert sent(sim)[1]["title"] == "colour.md"
    chat.send(File(b"All alone, it goes, too."))
    with pytest.raises(InvalidContent, match="is image/jpeg by its content, not image/png"):
        chat.send([File(JPEG, "image/png")])
    with pytest.raises(InvalidContent, match="holds str where bytes belong"):
        chat.send([File("text")])  # type: ignore[arg-type]
    with pytest.raises(InvalidContent, match=r"sash\.File"):
        chat.send([png()])  # type: ignore[list-item]


def spoilt(folder: Path) -> list[tuple[Path, str]]:
    """Files that cannot be sent, and what is said of each."""
    mebibyte = 1024 * 1024
    data = {
        "empty": (b"", "is empty"), "white": (b" \n\t", "nothing but white space"),
        "office.docx": (b"PK\x03\x04\0\0", "PDF"),
        "latin.txt": (b"caf\xe9", "read_text"), "film.avi": (b"RIFF\0\0\0\0AVI \0", "transcript"),
        "old.bmp": (b"BM\0\0", "PNG"),
        "broken.png": (png()[:12], "damaged"), "wide.png": (png(8_001, 1), "8,001 x 1"),
        "heavy.png": (png(padding=8 * mebibyte), "scale it down"),
        "huge.txt": (b"x" * (32 * mebibyte + 1), "a part of it"),
        "huge.pdf": (PDF + b"x" * 25 * mebibyte, "fewer pages"),
    }  # fmt: skip
    for name, (content, _) in data.items():
        (folder / name).write_bytes(content)
    (folder / "folder").mkdir()
    os.mkfifo(folder / "pipe")
    more = {"missing.png": "does not exist", "folder": "is a directory", "pipe": "no regular file"}
    said = {name: words for name, (_, words) in data.items()} | more
    return [(folder / name, words) for name, words in said.items()]


def test_what_cannot_be_sent_is_named_with_a_remedy(sim: Simulator, chat: Conversation, tmp_path: Path) -> None:
    """Missing, empty, damaged, too large, of another kind: the path and what to do, before anything is written."""
    for path, said in spoilt(tmp_path):
        with pytest.raises(InvalidContent) as raised:
            chat.send(["What is this?", path])
        assert str(path) in str(raised.value) and said in str(raised.value)
        assert raised.value.path == str(path)
    assert chat.history() == [] and sim.log == []


def test_too_many_pages_are_refused() -> None:
    """As many as the model takes, not one more."""
    for model, most in (("claude-sonnet-5-5", 600), ("claude-haiku-4-5", 100)):
        for count in (most, most + 1):
            content = [file_block(File(b"%PDF-1.7\n" + b"<< /Type /Page >>\n" * count))]
            body = {"model": model, "max_tokens": 9, "messages": [{"role": "user", "content": content}]}
            assert [problem.rule for problem in check_request(body)] == (["pdf-pages"] if count > most else [])


def test_every_way_to_talk_takes_files(sim: Simulator, chat: Conversation, tmp_path: Path) -> None:
    """send, stream, run, edit, plan, count and extend; sync and async."""
    note = tmp_path / "note.txt"
    note.write_text("Crate 9 is blue.")

    def look(crate: int) -> str:
        """Look into a crate."""
        return f"{crate}: empty"

    assert chat.count([note]).tokens > chat.count().tokens
    assert chat.plan([note, "What?"]).prompt.tokens > 0
    chat.send([note])
    with chat.stream(note) as stream:
        assert "".join(stream)
    chat.run([note, "What colour is crate 9?"], tools=[look])
    chat.edit(chat.history()[0], [note, "And now?"])
    chat.send({"role": "user", "content": [note]})
    chat.extend([{"role": "user", "content": [note]}, {"role": "assistant", "content": "Blue."}])
    said = [turn for turn in chat.history() if turn.role == "user"]
    assert all(turn.blocks[0]["title"] == "note.txt" for turn in said)

    async def awaited() -> None:
        async with AsyncConversation(client=sim.async_client()) as other:
            assert "blue" in (await other.send([note, "What colour is crate 9?"])).text
            async with other.stream([note, "Again?"]) as stream:
                async for _ in stream:
                    pass
            assert (await other.count(note)).tokens
            with pytest.raises(InvalidContent, match="does not exist"):
                await other.send([tmp_path / "missing"])
            assert len(await other.history()) == 4

    asyncio.run(awaited())


def test_what_a_text_file_says_is_found_again(chat: Conversation, tmp_path: Path) -> None:
    """Search and recall read the text of a document, not its name alone."""
    (tmp_path / "crates.md").write_text("The zephyr crate holds lanterns.")
    chat.send([tmp_path / "crates.md", "Keep this."])
    assert "lanterns" in chat.history()[0].text
    assert chat.recall("zephyr lanterns")


@given(
    st.binary(max_size=200),
    st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF89a", b"RIFF0000WEBP", b"%PDF-"]),
)
def test_any_bytes_make_a_legal_block_or_an_error_of_ours(data: bytes, head: bytes) -> None:
    """Nothing comes out that the rules refuse."""
    try:
        block: Any = file_block(File(head + data))
    except InvalidContent:
        return
    body = {"model": "claude-sonnet-5-5", "max_tokens": 9, "messages": [{"role": "user", "content": [block]}]}
    assert check_request(body) == []


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


DATA = {
    "as it should be": ("image", "image/png", encoded(png()), True),
    "with line ends": ("image", "image/png", base64.encodebytes(png(9, 9)).decode(), True),
    "a PDF": ("document", "application/pdf", encoded(PDF), True),
    "a JPEG said to be a PNG": ("image", "image/png", encoded(JPEG), False),
    "a WebP said to be a GIF": ("image", "image/gif", encoded(WEBP), False),
    "an image said to be a PDF": ("document", "application/pdf", encoded(GIF), False),
    "a data URL": ("image", "image/png", "data:image/png;base64," + encoded(png()), False),
    "no base64": ("image", "image/png", "not base64!", False),
    "cut off": ("image", "image/png", encoded(png())[:-3], False),
}


@pytest.mark.parametrize("case", DATA)
def test_data_that_is_not_what_it_is_said_to_be(case: str) -> None:
    """A media type that disagrees, a data: prefix, and what is no base64 are problems for both judges."""
    kind, media, data, legal = DATA[case]
    block = {"type": kind, "source": {"type": "base64", "media_type": media, "data": data}}
    for content in ([block], [{"type": "text", "text": "See:"}, block]):
        body = {"model": "claude-sonnet-5-5", "max_tokens": 9, "messages": [{"role": "user", "content": content}]}
        assert [problem.rule for problem in check_request(body)] == ([] if legal else ["base64-data"])
        assert [problem.rule for problem in problems(body, sash.card("claude-sonnet-5-5"))] == (
            [] if legal else ["source"]
        )
