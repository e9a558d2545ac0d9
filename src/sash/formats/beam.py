"""BEAM: one long chat of a user with an assistant, and twenty probing questions beside it.

Reads `chat.json` (batches of turns); the questions come from `probing_questions.json` of the same folder,
if it is there. The marker that ends user texts (" ->-> 1,4") is taken off and kept in `meta`. Every turn of
a batch carries the time of its anchor ("March-15-2024", midnight UTC); the source tells no other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import PurePath
from typing import Any

from sash.formats.messages import role_of
from sash.formats.reading import Field, document
from sash.formats.values import ImportedConversation, ImportedTurn, Question, text_block

QUESTIONS = "probing_questions.json"

_ANCHOR = "%B-%d-%Y"
_MARKER = re.compile(r"\s*->->\s*(\d+,\s*(?:\d+|N/A))\s*$")
_ANSWERS = ("answer", "ideal_response", "ideal_answer", "ideal_summary", "expected_compliance")


def recognises(sample: Sequence[Field]) -> bool:
    """Whether it is a list of batches."""
    batches = sample[0].value if len(sample) == 1 else None
    first = batches[0] if isinstance(batches, list) and batches else None
    return isinstance(first, dict) and {"batch_number", "turns"} <= first.keys()


def parse(text: str, *, path: str = "<text>", questions: str | None = None) -> tuple[ImportedConversation, ...]:
    """The conversation of a `chat.json`; `questions` is the text of its probing questions.

    Raises InvalidImport that names path and field.
    """
    asked = document(questions, str(PurePath(path).with_name(QUESTIONS))) if questions is not None else None
    turns = tuple(turn for batch in document(text, path).each() for turn in _batch(batch))
    return (
        ImportedConversation(
            id=f"beam-{PurePath(path).parent.name}".removesuffix("-"),
            turns=turns,
            questions=tuple(_questions(asked)) if asked is not None else (),
        ),
    )


def _batch(batch: Field) -> Iterator[ImportedTurn]:
    messages = [message for group in batch["turns"].each() for message in group.each()]
    anchors = [owner["time_anchor"] for owner in (*messages, batch) if owner.has("time_anchor")]
    at = anchors[0].moment(_ANCHOR) if anchors else None
    for message in messages:
        yield _turn(message, at, batch.get("batch_number"))


def _turn(message: Field, at: float | None, batch: Any) -> ImportedTurn:
    text = message["content"].text()
    marker = _MARKER.search(text)
    meta = {"batch": batch, "kind": message.get("question_type"), "marker": marker and marker[1]}
    return ImportedTurn(
        role=role_of(message),
        content=[text_block(_MARKER.sub("", text))],
        at=at,
        id=str(message["id"].value),
        meta={key: value for key, value in meta.items() if value is not None},
    )


def _questions(asked: Field) -> Iterator[Question]:
    for category in asked.object():
        for entry in asked[category].each():
            yield _question(entry, category)


def _question(entry: Field, category: str) -> Question:
    answers = [str(entry[key].value) for key in _ANSWERS if entry.has(key)]
    return Question(
        text=entry["question"].text(),
        answer=answers[0] if answers else None,
        evidence=tuple(dict.fromkeys(map(str, _ids(entry.get("source_chat_ids"))))),
        category=category,
        rubric=tuple(map(str, entry.get("rubric", ()))),
    )


def _ids(given: Any) -> Iterator[Any]:
    """Message ids out of a number, a list, or an object of lists."""
    if isinstance(given, dict | list):
        for member in given.values() if isinstance(given, dict) else given:
            yield from _ids(member)
    elif given is not None:
        yield given
