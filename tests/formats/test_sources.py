"""What other programs keep of conversations, read by content: files, folders, globs and archives of them."""

from __future__ import annotations

import json
import zipfile
from contextlib import closing
from pathlib import Path

import pytest

from formats.samples import CHATGPT, KIND, SAMPLES, json_file, run
from sash import Conversation, MemoryStore, lab
from sash.conversation.imports import record
from sash.errors import InvalidImport
from sash.formats import ImportedTurn, LeftOut, Scan, SourcedConversation, detect, read, scan
from sash.model.blocks import Block, dumps
from sash.model.usage import Usage
from sash.simulator import Simulator


def shown(turn: ImportedTurn) -> str:
    """A turn in one line."""
    return f"{turn.role}: " + " | ".join(map(_shown, turn.content))


def _shown(block: Block) -> str:
    kind = block["type"]
    if kind == "tool_use":
        return f"{block['name']}({dumps(block['input'])})"
    if kind == "tool_result":
        given = block.get("content", "")
        text = given if isinstance(given, str) else "".join(part["text"] for part in given)
        return f"-> {'failed: ' if block.get('is_error') else ''}{text}"
    if kind == "document":
        return f"<document {block['title']}: {block['source']['data']}>"
    return "<image>" if kind == "image" else str(block["text"])


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_each_source_is_told_by_content_and_read(name: str, tmp_path: Path) -> None:
    """Whatever a file is called: its format is known, every word is there once, legally, what is left out is named."""
    sample, path = SAMPLES[name], tmp_path / "something"
    sample.write(path)
    assert detect(path) == name.partition(",")[0]
    first, *_ = found = read(path)
    assert [shown(turn) for turn in first.turns] == list(sample.said)
    assert first.system == sample.system
    assert [tool["name"] for tool in first.tools] == list(sample.tools)
    assert first.faults == ()
    remarks = " / ".join(note.text for conversation in found for note in conversation.notes)
    assert [words for words in sample.remarks if words not in remarks] == [] and bool(remarks) == bool(sample.remarks)
    told = [Usage.from_wire(turn.usage) for turn in first.turns if turn.usage]
    assert [(usage.prompt, usage.output) for usage in told] == list(sample.usage)


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_all_branches_come_in_where_there_are_some(name: str, tmp_path: Path) -> None:
    """Each branch is a conversation of its own, the one shown under its own name; elsewhere "all" is what there is."""
    sample, path = SAMPLES[name], tmp_path / "something"
    sample.write(path)
    ids = [found.id for found in read(path, branches="all")]
    assert ids == (list(sample.all) or [found.id for found in read(path)])


def test_logged_calls_tell_their_cost_and_project(tmp_path: Path) -> None:
    """What a tracing tool says that a call cost goes along with its reply, and the project with the conversation."""
    for name, costs, project in (("langsmith", [0.25], None), ("langfuse", [0.5], "mill")):
        SAMPLES[name].write(tmp_path / name)
        first, *_ = read(tmp_path / name)
        assert [turn.meta["cost"] for turn in first.turns if "cost" in turn.meta] == costs
        assert first.meta.get("project") == project
        assert all(turn.at for turn in first.turns)


def test_a_window_that_slides_is_one_conversation(tmp_path: Path) -> None:
    """Calls whose prompts lost their beginning go on with the conversation that they overlap; nothing stands twice."""
    said = [{"role": ("user", "assistant")[n % 2], "content": f"{n}"} for n in range(8)]
    runs = [
        run("llm", n, {"messages": [KIND, *said[max(0, 2 * n - 3) : 2 * n + 1]]}, said[2 * n + 1]) for n in range(4)
    ]
    json_file(runs)(tmp_path / "runs.json")
    (found,) = read(tmp_path / "runs.json")
    assert [turn.text for turn in found.turns] == [str(n) for n in range(8)]
    assert found.system == "Be kind."


@pytest.mark.parametrize("message", [{}, {"content": "", "name": "x"}, None])
def test_a_generation_without_a_message_tells_its_text(message: object, tmp_path: Path) -> None:
    """Where a logger kept the text of a reply and nothing of its message, the text is the reply."""
    outputs = {"generations": [[{"text": "Fine.", "type": "ChatGeneration", "message": message}]]}
    json_file([run("llm", 1, {"messages": [{"role": "user", "content": "How?"}]}, outputs)])(tmp_path / "runs.json")
    (found,) = read(tmp_path / "runs.json")
    assert [turn.text for turn in found.turns] == ["How?", "Fine."]


def test_questions_of_long_memories_name_their_turns(tmp_path: Path) -> None:
    """The marked turn is the evidence; a question that nothing answers has none, and is no fault."""
    SAMPLES["longmemeval"].write(tmp_path / "s.json")
    asked = [one.questions[0] for one in lab.read(tmp_path / "s.json")]
    assert [(one.evidence, one.category, one.answer) for one in asked] == [
        (("a:1",), "single-session-user", "7731"),
        ((), "abstention", None),
    ]


def test_a_folder_of_everything_is_read_and_what_is_none_is_named(tmp_path: Path) -> None:
    """In a folder, a glob and an archive every recording is read; each file that is none gets a remark."""
    for number, sample in enumerate(SAMPLES.values()):
        sample.write(tmp_path / f"{number}.bin")
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "picture.png").write_bytes(b"\x89PNG")
    (tmp_path / "below" / "letter.txt").write_text("Dear Ann,")
    (tmp_path / "below" / "other.json").write_text('{"hello": 1}')
    (tmp_path / "below" / "empty.json").write_text("")
    (tmp_path / "below" / "cut.json").write_text('{"messages": [{"role": "user"')
    (tmp_path / "below" / "packed.jsonl.zst").write_bytes(b"\x28\xb5\x2f\xfd...")
    (tmp_path / ".hidden.json").write_text('{"hello": 1}')
    archive = tmp_path / "all.zip"
    with zipfile.ZipFile(archive, "w") as made:
        for place in sorted(tmp_path.rglob("*.*")):
            if place != archive:
                made.write(place, str(place.relative_to(tmp_path)))
    found = lab.read(tmp_path)
    remarks = [str(one) for one in found.left_out]
    databases = ("llm", "openai_agents", "llm, before 0.36")
    texts = len(SAMPLES) - len(databases)
    read_from = {one.source for one in found}
    assert len(read_from) == len(SAMPLES) + texts, remarks  # in the folder and in the archive, but for databases
    assert len({one.source for one in lab.read(str(tmp_path / "*.bin"))}) == len(SAMPLES)
    assert len(lab.read([tmp_path / "0.bin", tmp_path / "1.bin"])) == 2
    assert sum("a SQLite database in an archive; unpack it first" in remark for remark in remarks) == len(databases)
    for words in (
        "picture.png",
        "letter.txt",
        "other.json: not a known",
        "empty.json: the file is empty",
        "cut.json",
        "zstd -d",
    ):
        assert sum(words in remark for remark in remarks) == 2, (words, remarks)
    assert not any("hidden" in remark for remark in remarks if "zip" not in remark)


def test_a_trap_of_an_archive_is_not_unpacked(tmp_path: Path) -> None:
    """What would come to a hundred times its size is left out unread; alone in its archive it is an error."""
    archive = tmp_path / "bomb.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as made, made.open("chats.json", "w") as member:
        member.write(b"[")
        for _ in range(40):
            member.write(b" " * 2**20)
    with pytest.raises(InvalidImport, match=r"bomb.zip.*41,943,041 bytes.*unpack it yourself"):
        read(archive)
    with zipfile.ZipFile(archive, "a") as made:
        made.writestr("good.json", json.dumps(CHATGPT))
    assert [one.id for one in read(archive)] == ["c-1"]


@pytest.mark.parametrize("shape", ["list", "lines", "whole"])
@pytest.mark.parametrize("packed", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_damaged_member_of_an_archive_is_named(shape: str, packed: int, tmp_path: Path) -> None:
    """However it is written and packed, bytes that changed in it are a remark, and the other members are read."""
    talk = [{"role": ("user", "assistant")[n % 2], "content": f"{n * n * n}"} for n in range(40_000)]
    texts = {
        "list": json.dumps(talk),
        "lines": "\n".join(map(json.dumps, talk)),
        "whole": json.dumps({"messages": talk}),
    }
    archive = tmp_path / "chats.zip"
    with zipfile.ZipFile(archive, "w", packed) as made:
        made.writestr("bad.json", texts[shape])
        made.writestr("good.json", json.dumps(CHATGPT))
    data = bytearray(archive.read_bytes())
    middle = archive.stat().st_size * 3 // 4
    data[middle : middle + 40] = b"7" * 40
    archive.write_bytes(data)
    remarks = [str(one) for one in scan(archive) if isinstance(one, LeftOut)]
    assert any(one.startswith(f"{archive}/bad.json: cannot be read") for one in remarks), remarks
    assert "c-1" in [one.conversation.id for one in scan(archive) if isinstance(one, SourcedConversation)]


@pytest.mark.parametrize("damage", ["[{]", "PK\x03\x04 no archive", '{"a": 1}'])
def test_a_named_file_that_cannot_be_read_is_an_error(damage: str, tmp_path: Path) -> None:
    """It names the file; so does a name that leads nowhere, a glob that matches nothing, an empty folder."""
    (tmp_path / "bad.zip").write_text(damage)
    (tmp_path / "folder").mkdir()
    for name in ("bad.zip", "nowhere.json", "*.nothing", "folder"):
        with pytest.raises(InvalidImport, match=name.replace("*", r"\*")):
            read(tmp_path / name)


def long_list(path: Path, entries: int, tail: str) -> None:
    """A file of many conversations, one after the other."""
    body = json.dumps(CHATGPT[0], indent=1)
    path.write_text("[" + ",\n".join([body] * entries) + tail)


def test_a_list_that_breaks_off_gives_what_came_before(tmp_path: Path) -> None:
    """Conversations before the break are read, and the remark says how many; one broken in itself is left out."""
    path = tmp_path / "chats.json"
    long_list(path, 200, ',\n{"mapping": {"a": ')
    first, *rest = read(path)
    assert len(rest) == 199
    assert "breaks off after 200 entries" in first.notes[0].text
    long_list(path, 3, ', {"mapping": {"a": {"parent": null, "message": {"content": 3}}}}]')
    first, *rest = read(path)
    assert len(rest) == 2
    assert "entry 4 is left out" in " ".join(note.text for note in first.notes)


def test_conversations_come_one_by_one(tmp_path: Path) -> None:
    """The first conversation of a long list is there before the rest of the file was read, and progress tells bytes."""
    path = tmp_path / "chats.json"
    long_list(path, 400, "]")
    told: list[int] = []
    found = scan(path, progress=told.append)
    next(one for one in found if isinstance(one, SourcedConversation))
    assert sum(told) < path.stat().st_size / 2
    assert sum(isinstance(one, SourcedConversation) for one in found) == 399
    assert sum(told) == path.stat().st_size


def test_a_recording_without_a_question_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody asks anything in gives no trace, and a remark, which the list shows; "~" is the user's home."""
    monkeypatch.setenv("HOME", str(tmp_path))
    json_file([{"role": "assistant", "content": "Welcome!"}])(tmp_path / "greeting.json")
    json_file([{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi"}])(tmp_path / "talk.json")
    found = lab.read("~")
    assert [one.name for one in found] == ["talk"]
    assert repr(found).startswith("1 recording, 1 remark\n<Recording 'talk': anthropic, 2 turns>\nleft out: ")
    assert "nobody asks anything" in str(found.left_out[0])
    assert isinstance(found.left_out[0], LeftOut)
    assert [len(trace.calls) for trace in found[:1].traces()] == [1]


def test_whatever_was_read_can_be_gone_on_with(tmp_path: Path) -> None:
    """The conversation of every source is recorded, and the next question to Claude is legal with all that came."""
    for number, sample in enumerate(SAMPLES.values()):
        sample.write(tmp_path / f"{number}.bin")
    with closing(MemoryStore()) as store:
        done = list(record(store, Scan(tmp_path)))
        assert {one.format for one in done} == {name.partition(",")[0] for name in SAMPLES}
        for one in done:
            with Conversation(store, id=one.id, client="simulator") as chat:
                body = chat.plan("And what was said first?").body
            assert Simulator().check(body) == [], one
