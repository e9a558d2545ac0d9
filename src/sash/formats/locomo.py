"""LoCoMo: two people who talk over months, and questions about what they said.

`speaker_a` becomes the user, `speaker_b` the assistant; turns of one speaker in a row stay separate turns,
and a session that `speaker_b` opens begins with an assistant turn (listed by `problems` when it is the
first). Every turn of a session carries the session's time (the source gives no other), read as UTC.
A shared picture is kept as its caption: "[shares a photo: ...]". Evidence ids are mended where they can be
("D8:6; D9:17", "D:11:26"); what names no turn is dropped and noted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from sash.formats.legality import HistoryProblem
from sash.formats.reading import Field, document
from sash.formats.values import ImportedConversation, ImportedTurn, Question, Role, text_block

# The numbers of the published categories ("Evaluating Very Long-Term Conversational Memory of LLM Agents").
CATEGORIES = {1: "multi-hop", 2: "temporal", 3: "open", 4: "single-hop", 5: "adversarial"}

_WHEN = "%I:%M %p on %d %B, %Y"
_SESSION = re.compile(r"session_(\d+)")
_DIALOG_ID = re.compile(r"D:?(\d+):(\d+)")


def recognises(sample: Sequence[Field]) -> bool:
    """Whether it is a list of two-person conversations with questions."""
    items = sample[0].value if len(sample) == 1 else None
    first = items[0] if isinstance(items, list) and items else None
    return isinstance(first, dict) and isinstance(first.get("conversation"), dict) and "qa" in first


def parse(text: str, *, path: str = "<text>") -> tuple[ImportedConversation, ...]:
    """The conversations of a file. Raises InvalidImport that names path and field."""
    return tuple(_conversation(item, number) for number, item in enumerate(document(text, path).each(), 1))


def _conversation(item: Field, number: int) -> ImportedConversation:
    talk = item["conversation"]
    speakers: dict[str, Role] = {talk["speaker_a"].text(): "user", talk["speaker_b"].text(): "assistant"}
    turns = tuple(turn for session in _sessions(talk) for turn in _session(talk, session, speakers))
    known = {turn.id for turn in turns if turn.id}
    asked = [_question(entry, known) for entry in item["qa"].each()]
    return ImportedConversation(
        id=str(item.get("sample_id", number)),
        title=" and ".join(speakers),
        turns=turns,
        questions=tuple(question for question, _ in asked),
        notes=tuple(note for _, notes in asked for note in notes),
    )


def _sessions(talk: Field) -> list[int]:
    found = (_SESSION.fullmatch(key) for key in talk.object())
    return sorted(int(match[1]) for match in found if match)


def _session(talk: Field, number: int, speakers: dict[str, Role]) -> Iterator[ImportedTurn]:
    at = talk[f"session_{number}_date_time"].moment(_WHEN)
    for message in talk[f"session_{number}"].each():
        yield _turn(message, number, at, speakers)


def _turn(message: Field, session: int, at: float, speakers: dict[str, Role]) -> ImportedTurn:
    speaker = message["speaker"].text()
    if speaker not in speakers:
        raise message["speaker"].fail(f"{speaker!r} is neither of {', '.join(speakers)}")
    said = [message["text"].text(), _picture(message)]
    return ImportedTurn(
        role=speakers[speaker],
        content=[text_block(" ".join(filter(None, said)))],
        at=at,
        id=message["dia_id"].text(),
        speaker=speaker,
        meta={"session": session},
    )


def _picture(message: Field) -> str:
    return f"[shares a photo: {message['blip_caption'].text()}]" if message.has("blip_caption") else ""


def _question(entry: Field, known: set[str]) -> tuple[Question, list[HistoryProblem]]:
    text, given = entry["question"].text(), entry.get("evidence", [])
    evidence, notes = _evidence(text, given if isinstance(given, list) else [given], known)
    number = entry.get("category")
    question = Question(
        text=text,
        answer=str(entry["answer"].value) if entry.has("answer") else None,
        evidence=evidence,
        category=CATEGORIES.get(number, str(number)),
        trap=entry.get("adversarial_answer"),
    )
    return question, notes


def _evidence(question: str, given: Sequence[object], known: set[str]) -> tuple[tuple[str, ...], list[HistoryProblem]]:
    found: dict[str, None] = {}
    notes: list[HistoryProblem] = []
    for text in map(str, given):
        ids = [f"D{session}:{turn}" for session, turn in _DIALOG_ID.findall(text)]
        found.update(dict.fromkeys(id for id in ids if id in known))
        if not ids or any(id not in known for id in ids):
            notes.append(HistoryProblem(text=f"evidence {text!r} names no turn; question: {question}", id=text))
    return tuple(found), notes
