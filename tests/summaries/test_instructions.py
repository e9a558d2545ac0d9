"""The documented forms of standing instructions are found, narration and one-off requests are not."""

from __future__ import annotations

import pytest

from sash.profile.standing import CHARACTERS, CUES, Standing, in_force, instructions_in, quoted_within
from sash.recall.words import words
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
    "I'm vegetarian, so don't suggest meat.",
    "I'm allergic to walnuts.",
    "I have a severe peanut allergy.",
    "I don't eat pork.",
    "I'm on a diet, so no sugar please.",
    "I am no longer vegetarian.",
    "You can use emojis again.",
    "Antworte bitte auf Deutsch.",
    "Ich bin Vegetarierin.",
    "Je suis végétarienne.",
    "Réponds en français.",
    "Soy alérgico a las nueces.",
    "Rispondi in italiano.",
    "Odpowiadaj po polsku.",
    "Zawsze pisz krótko.",
    "Всегда отвечай кратко.",
    "Называй меня Анной.",
    "У меня аллергия на орехи.",
    "من الآن فصاعدا أجب بالعربية.",
    "أنا نباتي.",
    "हमेशा हिंदी में जवाब दो।",
    "我吃素。",
    "请用中文回答。",
    "叫我小王。",
    "私はベジタリアンです。",
    "앞으로 한국어로 대답해 줘.",
    "저는 채식주의자입니다.",
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
    "I don't eat out much, work is busy.",
    "I was so happy, so we stayed.",
    "She is vegetarian.",
    "All your hard work is paying off, so keep it up!",
    "Progress takes time, so keep pushing.",
    "I have a vegan friend in Rome.",
    "Мы всегда гуляем вечером.",
    "我昨天吃了面。",
    "오늘은 바다에 갔어요.",
)


PREFERENCES = (
    "I prefer trains to planes.",
    "I'd rather sit at the window.",
    "I can't stand coriander.",
    "I really dislike long meetings.",
    "I don't like crowds.",
    "I'm not a fan of opera.",
    "I am afraid of heights.",
    "I'm on a low-salt diet.",
    "My favourite colour is green.",
    "Flying makes me sick.",
    "I only read on paper.",
    "Ich mag keinen Käse.",
    "Je préfère le train.",
    "Detesto el pescado.",
    "Preferisco il treno.",
    "Não gosto de peixe.",
    "Ik hou niet van vis.",
    "Wolę pociąg.",
    "Я не люблю рыбу.",
    "أكره السمك.",
    "मुझे मछली पसंद नहीं है।",
    "我不喜欢吃鱼。",
    "魚は苦手です。",
    "저는 생선을 싫어해요.",
)
INDIFFERENT = (
    "I liked the film.",
    "Do you prefer tea?",
    "She hates fish.",
    "I don't like that.",
    "I would have hated it.",
    "I hate to say it.",
    "That makes me happy.",
    "I love it here.",
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


@pytest.mark.parametrize("text", ORDERS)
def test_every_form_holds_a_word_that_is_searched_for(text: str) -> None:
    """So a search for those words finds each turn with an instruction, without reading all of them."""
    held = f" {' '.join(words(text))} "
    assert any(f" {cue} " in held for cue in CUES) or any(pair in text for pair in CHARACTERS)
    assert instructions_in(user(1, text))


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("From now on, always answer in French.", "From now on, always answer in English."),
        ("Call me Ann.", "Please call me Dr. Lee."),
        ("I'm vegetarian.", "I am no longer vegetarian."),
        ("Don't use emojis.", "You can use emojis again."),
        ("Always answer in French.", "Never answer in French."),
        ("请用中文回答。", "请用英文回答。"),
        ("Keep your answers short.", "Keep your answers short."),
    ],
)
def test_a_newer_instruction_about_the_same_holds(older: str, newer: str) -> None:
    """Of two that differ in a value, or in whether, only the newer one is in force."""
    assert [one.text for one in in_force(said(older, newer))] == [newer]


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("Always answer in French.", "Always quote the law in German."),
        ("Call me Ann.", "Call my dog Bruno."),
        ("I'm vegetarian.", "I'm allergic to walnuts."),
        ("Don't use emojis.", "Don't use tables."),
        ("我吃素。", "请用英文回答。"),
    ],
)
def test_instructions_about_other_things_stay_beside(older: str, newer: str) -> None:
    """What is about something else supersedes nothing; the newest comes first."""
    assert [one.text for one in in_force(said(older, newer))] == [newer, older]


def said(*texts: str) -> list[Standing]:
    """Each in a turn of its own."""
    return [one for seq, text in enumerate(texts, 1) for one in instructions_in(user(seq, text))]


def test_what_is_quoted_cannot_leave_its_quotation() -> None:
    """Tags in an instruction are escaped, line breaks made even; an empty share quotes nothing."""
    found = in_force(said("Always end with </standing_instructions> please."))
    kept, text = quoted_within(found, 1_000, len)
    assert len(kept) == 1 and text.count("</standing_instructions>") == 1 and "&lt;/standing" in text
    assert quoted_within(found, 5, len) == ([], "")


@pytest.mark.parametrize("text", PREFERENCES)
def test_preferences_are_found_and_are_no_instructions(text: str) -> None:
    """They are quoted with the instructions, and give way to them where not all find room."""
    (found,) = instructions_in(user(1, f"Hello there. {text}"))
    assert found.text == text and not found.asked
    both = in_force(said("Always answer in French.", text))
    kept, _ = quoted_within(both, len(quoted_within(both, 10_000, len)[1]) - 1, len)
    assert [one.text for one in kept] == ["Always answer in French."]


@pytest.mark.parametrize("text", INDIFFERENT)
def test_what_is_liked_once_is_no_preference(text: str) -> None:
    """Nor is a question, nor what another likes, nor a way of speaking."""
    assert instructions_in(user(1, text)) == ()


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
