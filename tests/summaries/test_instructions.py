"""The documented forms of standing instructions are found, narration and one-off requests are not."""

from __future__ import annotations

import pytest

from sash.summaries import facts_of, instructions_of
from sash.summaries.instructions import says_to

from .samples import assistant, turn, user

ORDERS = (
    "Always answer in metric units.",
    "Never use tables.",
    "Please always round to two decimals.",
    "You must never mention my ex.",
    "When I ask about code, always include version numbers.",
    "From now on, reply in French.",
    "Going forward please keep a formal tone.",
    "For the rest of this conversation write in lower case.",
    "Under no circumstances share the draft.",
    "Answer briefly unless I say otherwise.",
    "Whenever I paste a log, list the errors first.",
    "Every time I send a recipe, convert it to grams.",
    "Always include visual aids when I ask about probability.",
    "Don't use emojis.",
    "Please do not apologise.",
    "Stop adding summaries at the end.",
    "Avoid jargon.",
    "No emojis, please.",
    "Only use sources from after 2020.",
    "Keep your answers short.",
    "Answer in British English.",
    "Use metric units.",
    "Stick to the house style.",
    "Be concise.",
    "Call me Ada.",
    "Refer to the baby as Bean.",
    "I'd like you to address me as Captain.",
    "I want you to always cite your sources.",
    "I prefer short answers.",
    "Remember that I am allergic to walnuts.",
    "Keep in mind that my budget is small.",
    "Don't forget that we ship on Fridays.",
    "Important: the client is called Orbit.",
    "Rule 3: one question at a time.",
    "All amounts must be in euros.",
    "Can you always use British spelling?",
    "Bitte antworte immer auf Deutsch.",
    "À partir de maintenant, réponds en français.",
    "A partir de ahora responde en español.",
    "请不要使用表情符号。",
    "今後は日本語で答えてください。",
)
TALK = (
    "I always walk to work.",
    "It never came.",
    "Never mind.",
    "Never heard of it.",
    "Always a pleasure.",
    "From now on I will run every day.",
    "No problem.",
    "Don't worry about it.",
    "Call me tomorrow.",
    "What is always true?",
    "Do you always answer like that?",
    "Write a poem about the sea.",
    "I prefer tea.",
    "You must be so proud!",
    "Remember when we met?",
    "She told me to call her back.",
    "Keep up the good work!",
    "Your shoes must have a lot of stories behind them.",
)


@pytest.mark.parametrize("text", ORDERS)
def test_documented_forms_are_instructions(text: str) -> None:
    """Each documented form is kept word for word, wherever it stands in what the user says."""
    assert says_to(text)
    told = [user(1, f"Hello there. {text} Thanks a lot."), user(2, f"Two lines.\n{text}")]
    assert [fact.text for fact in instructions_of(told)] == [text, text]


@pytest.mark.parametrize("text", TALK)
def test_talk_is_no_instruction(text: str) -> None:
    """Narration, small talk and one-off requests are not."""
    assert not says_to(text)


def test_lists_under_a_head_are_instructions() -> None:
    """Every item of a list whose head speaks of rules is one; of another list none."""
    rules = user(1, "Please follow these rules:\n- Short sentences\n- Names in capitals\n\nShopping:\n- Bread\n- Salt")
    assert [fact.text for fact in instructions_of([rules])] == ["Short sentences", "Names in capitals"]


def test_only_the_users_own_words_count() -> None:
    """Code, quotations, documents in tags, tool results and replies give no instructions, nor does the system."""
    order = "Always answer in French."
    result = {"type": "tool_result", "tool_use_id": "t", "content": order}
    turns = [
        user(1, f"```\n{order}\n```"),
        user(2, f"> {order}"),
        user(3, f"<document>\n{order}\n</document>"),
        turn(4, "user", result),
        assistant(5, order),
        turn(6, "system", order),
    ]
    assert instructions_of(turns) == ()


def test_they_come_back_from_the_summary() -> None:
    """What a summary holds as an instruction is one again, whatever its form, with its turn."""
    previous = "## Standing instructions of the user\n- (7) Prices in euros would be nice.\n## Facts and decisions\n- x"
    (found,) = (fact for fact in facts_of((), previous) if fact.kind == "instruction")
    assert (found.text, found.seq, found.role) == ("Prices in euros would be nice.", 7, "user")
