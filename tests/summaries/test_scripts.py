"""Facts and instructions in scripts without capitals or without blanks are kept as those in English are."""

from __future__ import annotations

import pytest

from sash.summaries import facts_of
from sash.summaries.choosing import choose
from sash.summaries.coverage import Coverage
from sash.summaries.values import values

from .samples import user

TOLD = {
    "Chinese": [
        ("我的储物柜密码是7731。", "7731"),
        ("我的狗叫旺财。", "旺财"),
        ("我住在青岛。", "青岛"),
        ("我的老板是Anna Berg。", "Anna Berg"),
    ],
    "Japanese": [
        ("ロッカーの番号は7731です。", "7731"),
        ("私の犬の名前はハチです。", "ハチ"),
        ("私は札幌に住んでいます。", "札幌"),
        ("予約は3月14日です。", "3月14日"),
    ],
    "Korean": [
        ("사물함 번호는 7731입니다.", "7731"),
        ("제 강아지 이름은 보리예요.", "보리"),
        ("저는 부산에 살아요.", "부산"),
    ],
    "Arabic": [("رقم خزانتي هو 7731.", "7731"), ("كلبي اسمه ركس.", "ركس"), ("أسكن في طنجة.", "طنجة")],
    "Russian": [
        ("Код моего шкафчика 7731.", "7731"),
        ("Мою собаку зовут Буран.", "Буран"),
        ("Мой любимый цвет — зелёный.", "зелёный"),
    ],
    "Hindi": [("मेरे लॉकर का कोड 7731 है।", "7731"), ("मेरे कुत्ते का नाम मोती है।", "मोती"), ("मैं जयपुर में रहती हूँ।", "जयपुर")],
}
CASES = [(text, value) for told in TOLD.values() for text, value in told]


@pytest.mark.parametrize(("text", "value"), CASES)
def test_a_value_is_found_in_any_script(text: str, value: str) -> None:
    """Numbers beside letters of any script, names without capitals, what somebody says of himself."""
    assert value in [one.text for one in values(text)]


@pytest.mark.parametrize("language", TOLD)
def test_each_statement_is_quoted_on_its_own(language: str) -> None:
    """None takes another's place or passes for it: with room for all, all are quoted."""
    told = TOLD[language]
    facts = facts_of([user(seq, text) for seq, (text, _) in enumerate(told, 1)])
    lines = choose(facts, Coverage([]), 10_000, len)
    assert {line.text for line in lines} == {text for text, _ in told}


@pytest.mark.parametrize(("text", "value"), CASES)
def test_a_line_holds_its_own_facts_and_no_others(text: str, value: str) -> None:
    """A summary's line in the same words holds a fact; a line about something else in the same script does not."""
    (fact, *_) = [one for one in facts_of([user(1, text)]) if one.text == value]
    assert Coverage([text]).holds(fact)
    others = [other for other, held in CASES if other != text and held != value]
    assert not Coverage(others).holds(fact)


@pytest.mark.parametrize("text", ["我的密码是7731。", "저는 부산에 살아요.", "Мою собаку зовут Буран."])
def test_what_one_says_of_oneself_weighs_more(text: str) -> None:
    """As in English: the same value in passing weighs less."""
    said = max(one.worth for one in facts_of([user(1, text)]))
    passing = {"我的密码是7731。": "那里有7731。", "저는 부산에 살아요.": "거기에 부산 2호가 있다.",
               "Мою собаку зовут Буран.": "Там был Буран."}[text]  # fmt: skip
    assert said > max(one.worth for one in facts_of([user(1, passing)]))


def test_instructions_in_chinese_do_not_pass_for_one_another() -> None:
    """A summary that quotes one instruction does not hold another."""
    first, second = facts_of([user(1, "请用中文回答。"), user(2, "从现在开始叫我小王。")])
    assert first.kind == second.kind == "instruction"
    assert Coverage([first.quote]).holds(first) and not Coverage([first.quote]).holds(second)
