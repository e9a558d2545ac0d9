"""Whom and what a question means."""

from __future__ import annotations

import pytest

from sash.recall.meant import broad, ends_meant, points, speaker_meant


@pytest.mark.parametrize(
    ("text", "speaker"),
    [
        ("What is my order number?", "user"),
        ("Where do we live?", "user"),
        ("Did I tell you about the boat?", "user"),
        ("Which novel did you recommend?", "assistant"),
        ("What was your advice for my neck?", "assistant"),
        ("You said it takes an hour. How long exactly?", "assistant"),
        ("What is the capital of Peru?", None),
        ("Could you show me how to log in?", "user"),
        ("Would you explain magnets?", None),
        ("Can you list the rivers of Peru?", None),
        ("Could you plan a trip for us?", "user"),
        ("Wie heißt mein Hausarzt?", "user"),
        ("Welches Buch hast du mir empfohlen?", "assistant"),
        ("Comment s'appelle ma voisine ?", "user"),
        ("Qu'est-ce que tu m'as conseillé ?", "assistant"),
        ("¿Dónde nació mi abuela?", "user"),
        ("¿Qué libro me recomendaste?", "assistant"),
        ("我的护照号码是多少？", "user"),
        ("你推荐了哪本书？", "assistant"),
        ("私の会員番号は？", "user"),
        ("どの本を勧めてくれましたか？", "assistant"),
        ("Как зовут мою собаку?", "user"),
    ],
)
def test_my_asks_for_the_users_words_and_did_you_for_the_assistants(text: str, speaker: str | None) -> None:
    """What was said to the user comes before whose thing it is about; a request to Claude asks for nobody's words."""
    assert speaker_meant(text) == speaker


@pytest.mark.parametrize(
    ("text", "much"),
    [
        ("Can you summarize what I did about the leak?", True),
        ("In which order did I bring up the rooms?", True),
        ("How has my garden developed?", True),
        ("Fass bitte unsere Pläne zusammen.", True),
        ("In welcher Reihenfolge habe ich sie genannt?", True),
        ("Peux-tu résumer notre projet ?", True),
        ("¿Puedes resumir el proyecto?", True),
        ("总结一下我的计划。", True),
        ("これまでの計画をまとめてください。", True),
        ("What is my order number?", False),
        ("Did I order the lamp?", False),
    ],
)
def test_a_question_for_much_that_was_said_is_told_from_one_for_a_fact(text: str, much: bool) -> None:
    """Summaries, orders of events and developments need many turns; an order number needs one."""
    assert broad(text) is much


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("What was the first thing I told you?", "first"),
        ("How did this conversation begin?", "first"),
        ("Do you remember my very first message?", "first"),
        ("Was habe ich ganz am Anfang gesagt?", "first"),
        ("Quelle était ma première question ?", "first"),
        ("¿Qué fue lo primero que te dije?", "first"),
        ("我最初说了什么？", "first"),
        ("最初に何を話しましたか？", "first"),
        ("What was the last thing I asked?", "last"),
        ("Was habe ich zuletzt gesagt?", "last"),
        ("Who came first in the race?", None),
        ("My last name is Ekdal.", None),
    ],
)
def test_the_first_and_the_last_thing_are_places_in_the_conversation(text: str, end: str | None) -> None:
    """A question for either end is told from one in which "first" or "last" says something else."""
    assert ends_meant(text)[0] == end


@pytest.mark.parametrize(
    ("text", "pointing"),
    [
        ("How much was she?", True), ("And how much do they want?", True), ("What is that?", True),
        ("Wie heißt er?", True),
        ("它多少钱？", True), ("それはいくら？", True),
        ("Which libraries are used in this project?", False), ("How many days are there between them and us?", True),
        ("How many days are there between the two?", False), ("What is my locker code?", False),
    ],
)  # fmt: skip
def test_a_pronoun_points_at_what_was_just_said(text: str, pointing: bool) -> None:
    """A pronoun that stands for a thing points; one that goes before its noun does not."""
    assert points(text) is pointing
