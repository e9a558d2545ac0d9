"""Questions of one's own about recorded conversations, and which conversation each belongs to.

A file is JSON, or JSON lines: one object a question, with `question` (text) and `evidence` (ids of turns, or words that
were said; a list or one text), and where wanted `answer`, `category` and `conversation` (its id, or the name of its
trace). A question that names no conversation is asked of each that tells its evidence.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

from sash.errors import InvalidImport, InvalidOption
from sash.formats import Question
from sash.formats.reading import decode, values
from sash.lab.probing import evidence
from sash.lab.reading import Recording

SHAPE = '{"question": "Which locker code?", "evidence": ["My locker code is 7731."]}'
KNOWN = {"question", "evidence", "answer", "category", "conversation"}

Questions = bool | str | PathLike[str] | Iterable[Question | Mapping[str, Any]] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """A question of the user's own, and the conversation that it is about; "": any that tells its evidence."""

    question: Question
    conversation: str = ""


def questions_of(given: Questions) -> tuple[Put, ...] | None:
    """Questions as they may be given: a file, or a list; None: those that the recordings bring themselves.

    Raises InvalidImport, which names file and line, and InvalidOption.
    """
    if given is None or given is True:
        return None
    if given is False:
        return ()
    if isinstance(given, str | PathLike):
        return read_questions(given)
    if isinstance(given, Mapping | Question) or not isinstance(given, Iterable):
        raise InvalidOption(
            f"questions={given!r:.60}: give a file, or a list of objects such as {SHAPE}",
            option="questions",
            value=given,
        )
    return tuple(_put(one, f"questions[{at}]") for at, one in enumerate(given))


def read_questions(path: str | PathLike[str]) -> tuple[Put, ...]:
    """The questions of a file. Raises InvalidImport, which names the line."""
    place = Path(path)
    try:
        text = decode(place.read_bytes(), str(place))
    except OSError as error:
        raise InvalidImport(f"{place}: cannot be read: {error.strerror}", path=str(place), line=None) from error
    found = [field.value for field in values(text, str(place)).fields]
    items = found[0] if len(found) == 1 and isinstance(found[0], list) else found
    try:
        made = tuple(_put(one, f"{place}, question {number}") for number, one in enumerate(items, 1))
    except InvalidOption as error:
        raise InvalidImport(str(error), path=str(place), line=None) from error
    if not made:
        raise InvalidImport(f"{place}: no question in it; a line is {SHAPE}", path=str(place), line=None)
    return made


def _put(given: Any, where: str) -> Put:
    """One question, checked. Raises InvalidOption."""
    if isinstance(given, Question):
        return Put(question=given)
    problem = _problem(given)
    if problem:
        raise InvalidOption(f"{where}: {problem}; a question is {SHAPE}", option="questions", value=given)
    told = given["evidence"]
    question = Question(
        text=given["question"],
        answer=given.get("answer"),
        evidence=(told,) if isinstance(told, str) else tuple(told),
        category=given.get("category") or "",
    )
    return Put(question=question, conversation=given.get("conversation") or "")


def _problem(given: Any) -> str:
    """What is wrong with a question; "" if nothing is."""
    if not isinstance(given, Mapping):
        return f"{given!r:.60} is no object"
    unknown = sorted(set(given) - KNOWN)
    if unknown:
        return f"it has {unknown[0]!r}, and only {', '.join(sorted(KNOWN))} mean something"
    told = given.get("evidence")
    texts = [told] if isinstance(told, str) else told
    if not isinstance(texts, Sequence) or not texts or not all(isinstance(one, str) and one.strip() for one in texts):
        return f"evidence is {told!r:.60}: name turns by their ids, or give words that were said"
    wrong = [key for key in sorted(KNOWN - {"evidence"}) if not isinstance(given.get(key) or "", str)]
    if not wrong and not str(given.get("question") or "").strip():
        wrong = ["question"]
    return f"{wrong[0]} is {given.get(wrong[0])!r:.60}, and no text" if wrong else ""


def asked_of(recordings: Sequence[Recording], put: Sequence[Put]) -> tuple[list[Recording], list[str]]:
    """The recordings with these questions and no others, and a remark for each question that none can be asked.

    Raises InvalidOption where that is all of them.
    """
    placed: set[int] = set()
    found = []
    for recording in recordings:
        mine = _placed(recording, put)
        placed.update(mine)
        found.append(_with(recording, tuple(put[at].question for at in mine)))
    lost = [one for at, one in enumerate(put) if at not in placed]
    if put and len(lost) == len(put):
        raise InvalidOption(f"questions: {_lost(lost[0])}, nor does that of any other", option="questions", value=None)
    return found, [_lost(one) for one in lost]


def _placed(recording: Recording, put: Sequence[Put]) -> list[int]:
    """Indices of the questions that this recording can be asked."""
    if recording.conversation is None or not put:
        return []
    names, told = {"", recording.name, recording.conversation.id}, evidence(recording.conversation)
    return [at for at, one in enumerate(put) if one.conversation in names and told.of(one.question)]


def _with(recording: Recording, questions: tuple[Question, ...]) -> Recording:
    if recording.conversation is None:
        return recording
    return replace(recording, conversation=replace(recording.conversation, questions=questions))


def _lost(one: Put) -> str:
    where = f"the conversation {one.conversation!r}" if one.conversation else "any conversation"
    return (
        f"the evidence {one.question.evidence[0]!r:.80} of {one.question.text!r:.80} names no turn and was not said in "
        f"{where}; give ids of turns or words as they were said"
    )
