"""What of a user's words holds beyond a conversation, and what a later word ends."""

from __future__ import annotations

import pytest

from sash.model.blocks import dumps, text_block
from sash.model.turns import Draft, as_turns
from sash.profile import Kind, learned
from sash.profile.topics import topic_of

KEPT = [
    ("instruction", "From now on, always answer in French."),
    ("instruction", "Please never use emojis."),
    ("preference", "I'm vegetarian, so don't suggest meat."),
    ("preference", "I love hiking in the rain."),
    ("preference", "My favourite colour is green."),
    ("preference", "I'm allergic to walnuts."),
    ("preference", "I don't drink alcohol."),
    ("preference", "Please remember that I'm left-handed."),
    ("instruction", "Remember to answer in French."),
    ("preference", "Ich mag keine Oliven."),
    ("preference", "Je suis végétarienne."),
    ("preference", "Me encanta el café solo."),
    ("preference", "我喜欢爬山。"),
    ("preference", "コーヒーが好きです。"),
    ("fact", "My name is Ann Becker."),
    ("fact", "I live in Haarlem."),
    ("fact", "My sister's name is Ruth."),
    ("fact", "I'm a retired dentist."),
    ("fact", "We have two kids."),
    ("fact", "My birthday is on 4 May."),
    ("fact", "Ich wohne in Graz."),
    ("fact", "J'habite à Lyon."),
    ("fact", "Vivo en Sevilla."),
    ("fact", "我住在上海。"),
    ("fact", "私は京都に住んでいます。"),
    ("fact", 'My name is "Ann".'),
    ("instruction", "Call me 'Annie'."),
    ("preference", "I don't like 'Moby Dick'."),
    ("fact", "As I said: I live in Oslo."),
    ("fact", "My dog died."),
    ("fact", "I quit my job."),
]
NOT_KEPT = [
    "Do you like hiking?",
    "What is my name?",
    "I'd like to know how tall it is.",
    "I like your answer.",
    "If I lived in Paris, I would bike.",
    "My question is whether it works.",
    "I'm a bit tired.",
    "The weather is nice today.",
    "> My name is Bob.",
    "```\nmy name is x\n```",
    "Thanks!",
    "Note: 6253 loaves of rye for table five.",
    "你喜欢爬山吗？",
    "Translate: 'I live in Paris'",
    'Translate "I live in Paris" into German.',
    "My friend said 'I love meat'.",
    'My friend said "I love meat. I live in Oslo. Always answer in French." Nice, no?',
    "My friend always says: I love meat.",
    "Translate this:\n\nI live in Paris.\nI love meat.",
    "The sign says “never use the lift”.",
    "Übersetze: „Ich wohne in Berlin“",
    "Que veut dire « J'habite à Lyon » ?",
    "翻译：“我住在北京”",
    "「私は京都に住んでいます」を訳して。",
    "友達が京都に引っ越しました。",
    "I'd like to book a flight.",
]


def learn(*said: str) -> list[tuple[Kind, str]]:
    """Kind and text of what holds."""
    turns = as_turns([Draft(role="user", content=dumps([text_block(text)])) for text in said], head=0, now=0.0)
    return [(one.kind, one.text) for one, _ in learned(turns)]


@pytest.mark.parametrize(("kind", "text"), KEPT)
def test_what_a_user_says_of_themselves_is_kept(kind: str, text: str) -> None:
    """Each form in each language is found, as what it is."""
    assert [found for found, _ in learn(text)] == [kind]


@pytest.mark.parametrize("text", NOT_KEPT)
def test_what_holds_for_the_moment_is_not(text: str) -> None:
    """Questions, suppositions, quotations, code and small talk are no profile."""
    assert learn(text) == []


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("I live in Haarlem.", "We moved to Utrecht."),
        ("Always answer in German.", "From now on, please answer in English."),
        ("My sister is a nurse.", "My sister is a teacher now."),
        ("I'm vegetarian.", "I'm vegan."),
        ("Call me Annie.", "My name is Ann."),
        ("I like olives.", "I don't like olives any more."),
        ("Please keep your answers short.", "Always give me long and detailed answers."),
        ("Ich wohne in Bonn.", "Ich bin nach Köln gezogen."),
        ("Wir wohnen in Bonn.", "Wir sind letzte Woche nach Köln umgezogen."),
        ("我住在北京。", "我搬到上海了。"),
        ("J'habite à Lyon.", "J'ai déménagé à Nantes."),
        ("Vivo en Sevilla.", "Me he mudado a Cádiz."),
        ("私は京都に住んでいます。", "大阪に引っ越しました。"),
        ("Mein Hund heißt Rex.", "Mein Hund heißt Bello."),
        ("I'm married.", "We got divorced."),
        ("I work at Shell.", "I quit my job."),
    ],
)
def test_two_words_about_the_same_have_one_topic(earlier: str, later: str) -> None:
    """So the newer takes the older one's place."""
    assert topic(earlier) == topic(later) != ""


def topic(said: str) -> str:
    """What a statement is about."""
    return topic_of(said, learn(said)[0][0])


def test_statements_about_different_things_have_topics_of_their_own() -> None:
    """Nothing ends what it does not speak of."""
    said = (
        *("I live in Haarlem.", "My sister is a nurse.", "My brother is a nurse.", "I like olives.", "I like capers."),
        *("Don't use tables.", "Never use bullet points.", "Always answer in French."),
    )
    assert len({topic(text) for text in said}) == len(said)


@pytest.mark.parametrize(
    ("said", "topics"),
    [
        ("I live in Haarlem, and I'm allergic to walnuts.", ["home", ""]),
        ("I live in Haarlem and I'm allergic to walnuts.", ["home", ""]),
        ("I live in Haarlem, I'm allergic to walnuts.", ["home", ""]),
        ("Ich wohne in Berlin und bin allergisch gegen Nüsse.", ["home", ""]),
        ("我住在北京，我对花生过敏。", ["home", ""]),
        ("Always answer in German and keep your answers short.", ["language", "length"]),
        ("At my age, living alone, allergic to walnuts since I live in Haarlem.", [""]),
        ("I live in Haarlem, so always give prices in euros.", [""]),
        ("My wife and I live in Haarlem.", ["home"]),
        ('I love the line "I love you and I live in Oslo".', ["liking the line"]),
    ],
)
def test_a_sentence_that_says_two_things_ends_with_neither(said: str, topics: list[str]) -> None:
    """Whoever moves house stays allergic: each part stands for itself, or what matters more has no foreign topic."""
    turns = as_turns([Draft(role="user", content=dumps([text_block(said)]))], head=0, now=0.0)
    assert [one.topic for one, _ in learned(turns)] == topics


def test_words_of_others_are_nobodys_profile() -> None:
    """What Claude says of itself is not the user's."""
    turns = as_turns([Draft(role="assistant", content=dumps([text_block("My name is Claude.")]))], head=0, now=0.0)
    assert learned(turns) == []
