"""LongMemEval: a question, and the dated sessions ("haystack") that it is asked about, one entry a conversation.

Turns are called after their session and their place in it; those marked `has_answer` are the evidence. Where none is
marked, all turns of the sessions that hold the answer are; a question that these do not answer (`_abs`) has none.
Sessions are put in order of time, each turn at its session's. Source: the data set's description ("Dataset Format");
the data itself is read by format alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sash.formats.legality import HistoryProblem
from sash.formats.messages import role_of
from sash.formats.reading import Field, members_of
from sash.formats.values import ImportedConversation, ImportedTurn, Question, text_block

_WHEN = "%Y/%m/%d (%a) %H:%M"
_ABSENT = "_abs"


def recognises(sample: Sequence[Field]) -> bool:
    """Whether every value is a question with its sessions."""
    found = members_of(sample)
    return bool(found) and all(one.has("question") and isinstance(one.get("haystack_sessions"), list) for one in found)


def conversations(value: Field, number: int) -> Iterator[ImportedConversation]:
    """The sessions of an entry, and its question. Raises InvalidImport."""
    id = str(value.get("question_id", number))
    sessions = _sessions(value)
    turns = tuple(turn for _, _, found in sessions for turn in found)
    evidence = _evidence(value, turns)
    absent = id.endswith(_ABSENT)
    text = value["question"].text()
    lost = HistoryProblem(text=f"no turn holds the answer to the question {text!r}", id=id)
    yield ImportedConversation(
        id=id,
        turns=turns,
        questions=(
            Question(
                text=text,
                answer=None if absent else _answer(value.get("answer")),
                evidence=() if absent else evidence,
                category="abstention" if absent else str(value.get("question_type", "")),
            ),
        ),
        notes=(lost,) if not (absent or evidence) else (),
    )


def _answer(given: Any) -> str | None:
    return None if given is None else str(given)


def _sessions(value: Field) -> list[tuple[float, str, list[ImportedTurn]]]:
    """(time, id, turns) of each session, in order of time."""
    listed = list(value["haystack_sessions"].each())
    names = value.get("haystack_session_ids") or []
    dates = list(value["haystack_dates"].each()) if value.has("haystack_dates") else []
    found = []
    for place, session in enumerate(listed):
        name = str(names[place]) if place < len(names) else f"session-{place + 1}"
        at = dates[place].moment(_WHEN) if place < len(dates) else None
        turns = [_turn(message, f"{name}:{number}", at) for number, message in enumerate(session.each(), 1)]
        found.append((at or 0.0, name, turns))
    return sorted(found, key=lambda session: session[0])


def _turn(message: Field, id: str, at: float | None) -> ImportedTurn:
    meta = {"has_answer": True} if message.get("has_answer") else {}
    content = [text_block(message["content"].text())]
    return ImportedTurn(role=role_of(message), content=content, at=at, id=id, meta=meta)


def _evidence(value: Field, turns: Sequence[ImportedTurn]) -> tuple[str, ...]:
    marked = tuple(str(turn.id) for turn in turns if turn.meta.get("has_answer"))
    answering = {str(name) for name in value.get("answer_session_ids") or ()}
    return marked or tuple(str(turn.id) for turn in turns if str(turn.id).rpartition(":")[0] in answering)
