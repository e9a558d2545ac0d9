"""Questions of one's own: which conversation they belong to, and what answers them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lab.conversations import small
from sash import Everything, lab
from sash.errors import InvalidImport, InvalidOption
from sash.lab.questions import asked_of, questions_of
from sash.lab.sources import recordings_of

CODE = "My locker code is 7731."


def asked(questions: Any) -> dict[str, int]:
    """How many questions each of two conversations would be asked."""
    found, put = recordings_of([small("one", 6), small("two", 3)]), questions_of(questions)
    assert put is not None
    return {one.name: len(one.questions) for one in asked_of(found, put)[0]}


@pytest.mark.parametrize(
    ("question", "one", "two"),
    [
        ({"evidence": ["u2"]}, 1, 1),
        ({"evidence": ["u5"]}, 1, 0),
        ({"evidence": f" {CODE} \n"}, 1, 1),
        ({"evidence": [CODE, "the cat of Mo"], "conversation": "two"}, 0, 1),
    ],
)
def test_a_question_is_asked_where_its_evidence_is_told(
    tmp_path: Path, question: dict[str, Any], one: int, two: int
) -> None:
    """By ids or words, of every conversation or of the one it names; from a file (JSON, JSON lines) as from a list."""
    given = {"question": "Which code?", **question}
    (tmp_path / "lines.jsonl").write_text(json.dumps(given))
    (tmp_path / "list.json").write_text(json.dumps([given]))
    for questions in ([given], tmp_path / "lines.jsonl", str(tmp_path / "list.json")):
        assert asked(questions) == {"one": one, "two": two}


def test_without_a_word_recordings_are_asked_what_they_bring() -> None:
    """What names no turn is remarked on and left out; False asks nothing, and then sizes do."""
    found = lab.compare(small("two", 3), Everything(), budgets=400, points=False)
    assert found.records()[0]["questions"] == 1 and found.rows[0].replies
    assert [remark for remark in found.remarks if "1 of 2 questions are not asked" in remark and "cat" in remark]
    quiet = lab.compare(small("two", 3), Everything(), budgets=400, questions=False)
    assert "questions" not in quiet.records()[0] and quiet.rows[0].replies is None and not quiet.remarks


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("{", "line 1"),
        ("[]", "no question in it"),
        ("7", "is no object"),
        ('{"question": "Who?"}', "evidence is None"),
        ('{"question": "Who?", "evidence": []}', "evidence is"),
        ('{"question": "", "evidence": "x"}', "question is ''"),
        ('{"question": "Who?", "evidence": "x", "answer": 7}', "answer is 7"),
        ('{"question": "Who?", "evidence": "x", "colour": "red"}', "'colour'"),
    ],
)
def test_a_broken_file_names_its_fault(tmp_path: Path, line: str, named: str) -> None:
    """The file, the question and what to write instead, before anything is lived."""
    (tmp_path / "q.jsonl").write_text(line)
    with pytest.raises(InvalidImport, match=named) as raised:
        asked(tmp_path / "q.jsonl")
    assert "q.jsonl" in str(raised.value)


def test_questions_that_nothing_answers_are_refused() -> None:
    """Where that is all of them: the first is named with its evidence."""
    with pytest.raises(InvalidOption, match=r"'u99' of 'Who\?' names no turn"):
        asked([{"question": "Who?", "evidence": ["u99"]}])
    with pytest.raises(InvalidImport, match="cannot be read"):
        asked("nowhere.jsonl")
