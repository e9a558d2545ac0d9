"""Questions are known by their form: marks, words and particles of many languages; small talk asks nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sash.recall.asking import _BEYOND_ASCII, _INSIDE, _INSIDE_SMALL, asks

QUESTIONS = """
What was my order number?
what was my order number
When is my sister's birthday
Who did I say would come to dinner
Is the walnut cake ready
Did I tell you about my dog
Hi Claude, which hotel did we choose
Thanks! And how much was it again
I can't remember what the code was
I wonder where I left my keys
Remind me of the address.
Suggest a dessert for tonight.
Please recommend a restaurant.
Could you look up my booking
Tell me the name of the vet.
Cancel my order.
Book a table at my favourite place, please.
I'd like to know when we last spoke.
Write a short poem about my dog.
Let me know when the train leaves.
Any ideas for the party
Erinnere mich bitte an den Termin.
Wann ist der Termin
Wie heißt mein Hund
Kannst du mir die Nummer sagen
Nenn mir die Adresse.
Ich weiß nicht mehr, wo das war.
Quel est mon numéro de commande
Rappelle-moi mon rendez-vous.
Où habite ma sœur
Peux-tu me dire le code
¿Cuál es mi número?
Cuándo es la cita
Recuérdame la dirección.
Recomiéndame un postre.
Dove abita mia sorella
Qual è il mio codice
Ricordami l'indirizzo.
Qual é o meu endereço
Me lembre do código.
Quando é a consulta
Wat is mijn bestelnummer
Wanneer is de afspraak
Vertel me het adres.
Jaki jest mój kod
Kiedy mam wizytę
Przypomnij mi adres.
Какой у меня код
Когда приём у врача
Напомни мне адрес.
ما هو رقم طلبي
متى موعدي؟
ذكرني بالعنوان.
我的订单号是什么
你记得我住在哪里吗
提醒我地址。
请推荐一家餐厅。
我的生日是什么时候？
注文番号は何ですか
私の誕生日はいつでしたっけ
住所を教えてください。
おすすめのデザートは？
제 주문 번호가 뭐예요
생일이 언제였나요
주소를 알려 주세요.
मेरा कोड क्या है
Ποιος είναι ο κωδικός μου;
Որտե՞ղ եմ ես ապրում
""".strip().splitlines()

STATEMENTS = """
Hi there!
Hello, how are you?
Hey, how's it going?
Thanks, that's very kind of you.
I went to the beach today. It was lovely.
I'm vegetarian, so no meat for me.
My locker code is 7731 and the locker stands behind the blue door.
When I was young, we had a dog.
What a lovely day!
How nice of you!
However it ends, I am glad.
Have a nice day!
Ok, good.
That's all for now.
I told my mother to write a letter.
My brother, who lives in Rome, has two dogs.
The page is https://example.com/?q=what&x=1 by the way.
`a ? b : c` is how C does it.
Yes.
Danke, das war sehr nett.
Ich war gestern im Kino.
Alles klar?
Merci beaucoup, c'est parfait.
J'ai mangé une pomme.
Gracias, todo bien.
Ayer fui al cine con mi hermana.
Grazie mille.
Obrigado pela ajuda.
Bedankt, dat is alles.
Dziękuję bardzo.
Спасибо большое.
Вчера я была в кино.
شكرا جزيلا.
谢谢你。
我今天去了海边。
没什么特别的。
ありがとうございます。
今日はいつも通り海に行きました。
감사합니다.
오늘 바다에 갔어요.
धन्यवाद
""".strip().splitlines()


@pytest.mark.parametrize("text", QUESTIONS)
def test_a_question_or_request_asks(text: str) -> None:
    """With a mark or without, in each of these languages: what wants an answer asks."""
    assert asks(text)


@pytest.mark.parametrize("text", STATEMENTS)
def test_small_talk_and_statements_ask_nothing(text: str) -> None:
    """Greetings, thanks, exclamations, statements, links and code ask nothing."""
    assert not asks(text)


@pytest.mark.parametrize("statement", STATEMENTS)
def test_one_question_among_statements_is_enough(statement: str) -> None:
    """Whatever else a turn says, its question is heard."""
    assert asks(f"{statement} What was the number of my order?")


@given(st.text(max_size=400))
def test_a_question_mark_at_the_end_always_asks(text: str) -> None:
    """Any text at all is judged without failing, and a marked question about something asks, whatever stands before."""
    said = text.replace("`", "")
    assert isinstance(asks(text), bool)
    assert asks(f"{said}\nWhere is it?")


SAID = st.sampled_from(
    [
        "Do you remember",
        "I WONDER",
        "i'd like to know",
        "let me know what",
        "no idea who",
        "puedes",
        "Est-ce que",
        "Sag mir",
        "kun je",
        "ich frage mich",
        "who was at the door again",
        "could you",
        "believe",
        "that",
        "x-y",
        "K",
        "?",
        ". ",
    ]
)
ASCII = st.lists(SAID | st.text(st.characters(max_codepoint=127), max_size=4), max_size=6).map(" ".join)


@given(ASCII)
def test_ascii_is_looked_through_in_small_letters_for_what_may_stand_there(text: str) -> None:
    """In a sentence of ASCII nothing of other scripts is found, and small letters find what any letters do."""
    assert not _BEYOND_ASCII.search(text)
    assert bool(_INSIDE_SMALL.search(text.lower())) == bool(_INSIDE.search(text))
