"""`sash count` and `chat.count`: sizes with bounds, offline and asked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from sash import Conversation
from sash.cli import main
from sash.errors import InvalidOption, Unavailable
from sash.simulator import Simulator
from sash.simulator.faults import ServerError


def run(*arguments: str, code: int = 0) -> str:
    """The command's output; it must end with `code`."""
    result = CliRunner().invoke(main, ["count", *arguments])
    assert result.exit_code == code, result.output
    return result.output


def test_counts_text_and_messages_with_a_bound(tmp_path: Path) -> None:
    """A text counts by itself; a message list counts with its frames; neither passes its bound."""
    (tmp_path / "a.txt").write_text("Ten words of plain English prose make about ten tokens.")
    (tmp_path / "b.json").write_text(json.dumps([{"role": "user", "content": "hello"}]))
    text, messages = json.loads(run(str(tmp_path / "a.txt"), str(tmp_path / "b.json"), "--json"))
    assert 8 <= text["tokens"] <= text["upper"] <= 30
    assert messages["tokens"] > 5 and messages["source"] == "estimate" and messages["base"]


def test_asks_the_endpoint_when_told(tmp_path: Path) -> None:
    """--exact adds the endpoint's own answer, here the simulator's."""
    (tmp_path / "b.json").write_text(
        json.dumps({"system": "Be brief.", "messages": [{"role": "user", "content": "hi"}]})
    )
    (row,) = json.loads(run(str(tmp_path / "b.json"), "--exact", "--simulator", "--json"))
    assert row["endpoint"] > 0


def test_counts_a_recorded_conversation(tmp_path: Path) -> None:
    """A conversation's view counts as usage said, without any client."""
    path = tmp_path / "chats.db"
    with Conversation(path, id="me", client="simulator") as chat:
        chat.send("Remember the number 4711.")
        expected = chat.count()
    (row,) = json.loads(run("--db", str(path), "--id", "me", "--json"))
    assert (row["tokens"], row["source"]) == (expected.tokens, "usage")


def test_a_database_is_not_counted_as_text(tmp_path: Path) -> None:
    """A file of a kind known to be no text is refused; a database is told how to count a conversation of it. Text that
    begins as a picture does is text."""
    (tmp_path / "cars.txt").write_text("BMW is a maker of cars.")
    assert "cars.txt" in run(str(tmp_path / "cars.txt"))
    path = tmp_path / "chats.db"
    with Conversation(path, id="me", client="simulator") as chat:
        chat.send("Hello.")
    assert "chats.db is a database" in (told := run(str(path), code=1)) and "--db FILE --id ID" in told


@pytest.mark.parametrize(
    ("name", "content"),
    [("bad.json", "{"), ("nul.txt", "a\0b"), ("surrogate.txt", "x")],
)
def test_bad_input_is_counted_or_named(tmp_path: Path, name: str, content: str) -> None:
    """Broken JSON is an error that names the file; NULs and broken UTF-8 are counted as text."""
    path = tmp_path / name
    path.write_bytes(b"a\xed\xa0\x80b" if name.startswith("surrogate") else content.encode())
    output = run(str(path), "--json", code=1 if name == "bad.json" else 0)
    assert name in output


def test_nothing_to_count_is_said() -> None:
    """Without a file or a conversation the command says what to name."""
    assert "name a file" in run(code=2)


def test_exact_count_is_the_endpoints_with_its_bound() -> None:
    """`count(exact=True)` is what the endpoint says of the body that would be sent, with a small bound."""
    sim = Simulator()
    with Conversation(client=sim.client()) as chat:
        chat.send("Hello.")
        found = chat.count("And now?", exact=True)
        assert found.tokens == sim.count(chat.plan("And now?").body)
        assert found.source == "endpoint" and found.tokens < found.upper


def test_exact_count_needs_content_and_names_failure() -> None:
    """Without content an exact count is refused; an endpoint that fails is named with the estimate."""
    sim = Simulator()
    with Conversation(client=sim.client(max_retries=0)) as chat:
        with pytest.raises(InvalidOption, match="content"):
            chat.count(exact=True)
        sim.fail_next(ServerError(), path="/v1/messages/count_tokens")
        with pytest.raises(Unavailable, match="estimate"):
            chat.count("Hello", exact=True)


def test_counting_writes_nothing(tmp_path: Path) -> None:
    """A count leaves the database as it was."""
    path = tmp_path / "chats.db"
    with Conversation(path, id="me", client="simulator") as chat:
        chat.send("Hello.")
    before = path.read_bytes()
    with Conversation(path, id="me", client="simulator") as chat:
        chat.count("What?")
        chat.count()
    assert path.read_bytes() == before
