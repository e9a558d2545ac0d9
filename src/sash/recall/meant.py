"""Whom and what a question means, by its form: the user's own words or the assistant's, the first thing or the last.

Told by signs in English, German, French, Spanish, Chinese and Japanese (and "my" in Russian and Korean); a text without
a sign means nobody in particular. It knows no turns.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

Speaker = Literal["user", "assistant"]
End = Literal["first", "last"]

_SAY_EN = (
    "(?:say|tell|suggest|recommend|advise|mention|explain|propose|give|list|write|calculate|describe|come up|answer"
    "|reply|offer|name|promise|teach|show)"
)
_SAID_EN = (
    "(?:said|told|suggested|recommended|advised|mentioned|explained|proposed|gave|given|listed|wrote|written|calculated"
    "|described|came up|come up|answered|replied|offered|named|promised|taught|showed|shown)"
)
_NOUN_EN = r"(?:advice|suggestions?|recommendations?|answers?|ideas?|plans?|explanations?|repl(?:y|ies)|tips?|lists?)"
_SAID_FR = r"(?:dit|recommandé|conseillé|proposé|suggéré|expliqué|mentionné|donné)"
_SAID_DE = r"(?:gesagt|empfohlen|vorgeschlagen|geraten|erklärt|genannt|erwähnt)"
_YOURS: Sequence[str] = (
    rf"\bdid you (?:\w+ )?{_SAY_EN}\b|\b(?:had|have) you (?:\w+ )?{_SAID_EN}\b",
    rf"\byou(?:['’]d|['’]ve| had| have)? (?:just |already |once |first )?{_SAID_EN}\b",
    rf"\byour (?:\w+ )?{_NOUN_EN}\b",
    rf"\b(?:hast du|haben sie|du (?:mir )?|sie mir )\b.{{0,60}}\b{_SAID_DE}",
    r"\b(?:dein|deine|deinen|deinem|ihr|ihre|ihren) (?:rat|tipp|tipps|vorschlag|vorschläge|empfehlung|antwort|idee)\b",
    rf"\b(?:as-tu|tu (?:m['’])?(?:as|avais)|avez-vous|vous (?:m['’])?avez)\b.{{0,40}}\b{_SAID_FR}",
    r"\b(?:ton|ta|tes|votre|vos) (?:conseils?|suggestions?|recommandations?|réponses?|idées?|propositions?)\b",
    r"\b(?:dijiste|recomendaste|sugeriste|aconsejaste|propusiste|explicaste|mencionaste|me diste)\b",
    r"\b(?:has|había[sn]?) (?:dicho|recomendado|sugerido|aconsejado|propuesto)\b",
    r"\btus? (?:consejos?|sugerencias?|recomendación|recomendaciones|respuestas?|ideas?)\b",
    "你(?:刚才|之前|上次|当时|有没有)?(?:给我|跟我|向我)?(?:说|推荐|建议|提到|告诉|解释|介绍)",
    "你的(?:建议|推荐|回答|意见)|あなたの(?:提案|助言|アドバイス|答え|おすすめ)",
    "(?:勧めて|薦めて|すすめて|おすすめして|提案して|教えて|アドバイスして|説明して)くれ",
)
_MINE: Sequence[str] = (
    r"\b(?:i|i['’](?:m|ve|d|ll)|my|me|mine|myself|we|we['’](?:ve|re|d)|our|ours|us)\b",
    r"\b(?:ich|mich|mir|mein|meine[nmrs]?|wir|uns|unser|unsere[nmrs]?)\b",
    r"\b(?:je|j['’]\w+|moi|mon|ma|mes|nous|notre|nos)\b",
    r"\b(?:yo|mi|mis|mí|mío|mía|nosotros|nosotras|nuestr[oa]s?)\b",
    r"\b(?:я|мой|моя|моё|мое|мои|моего|моей|моему|мою|моих|мне|меня|мы|наш|наша|наше|наши|нам|нас)\b",
    "我|私|僕|俺|わたし|ぼく|うちの|(?:^|\\s)(?:제|저는|제가|저의|내가|내|나의|우리)(?:\\s|$)",
)
_FIRST: Sequence[str] = (
    r"\b(?:very )?first (?:thing|message|words?|question|topic|sentence)\b",
    r"\bfirst (?:say|tell|ask|talk|told|said|asked|met)\b",
    r"\bat the (?:very )?(?:beginning|start|outset)\b",
    r"\b(?:very )?(?:beginning|start) of (?:our|this|the) (?:chat|conversation|talk)",
    r"\b(?:conversation|chat|talk) (?:begin|began|start|started|open|opened)\b",
    r"\b(?:we|i|you) (?:begin|began|start(?:ed)?) with\b",
    r"\b(?:ganz am|am|zu) (?:anfang|beginn)\b|\bzu(?:aller)?erst\b",
    r"\b(?:als )?(?:aller)?erstes (?:gesagt|erzählt|gefragt)",
    r"\b(?:mein|meine|deine|unsere?) (?:aller)?erste[nsr]? (?:nachricht|frage|worte|satz|thema)",
    r"\b(?:la|ma|ta|notre) (?:toute )?première (?:chose|question|phrase)",
    r"\bpremier (?:message|sujet|mot)|\bau (?:tout )?début\b",
    r"\blo primero que\b|\b(?:la|mi|tu|nuestra) primera (?:cosa|pregunta|frase)",
    r"\bprimer (?:mensaje|tema)|\bal (?:principio|comienzo)\b",
    "最初|第一(?:件|句|个问题|次说)|一开始|刚开始|開始の時|はじめに|初めに|一番初め|いちばん最初",
)
_LAST: Sequence[str] = (
    r"\b(?:very )?last (?:thing|message|words?|question|topic|sentence)\b",
    r"\bmost recent(?:ly)? (?:thing|message|question|topic)?\b",
    r"\b(?:als )?letztes (?:gesagt|erzählt|gefragt)|\bzuletzt\b",
    r"\b(?:meine?|deine|unsere?) letzte[nsr]? (?:nachricht|frage|worte|satz|thema)",
    r"\b(?:la|ma|ta|notre) (?:toute )?dernière (?:chose|question|phrase)|\bdernier (?:message|sujet|mot)",
    r"\blo último que\b|\b(?:la|mi|tu|nuestra) última (?:cosa|pregunta|frase)|\búltimo (?:mensaje|tema)",
    "最后(?:一件|一句|说)|最後(?:に|の(?:質問|メッセージ|話))",
)
_BROAD: Sequence[str] = (
    r"\bsummar(?:y|ies|i[sz]e[ds]?|i[sz]ing)\b|\boverview\b|\brecap\b",
    r"\border in which\b|\bin (?:what|which) order\b|\bchronological",
    r"\bover time\b",
    r"\b(?:how|what) (?:has|have|did) .{0,60}\b(?:progress|develop|evolve|chang)(?:ed)?\b",
    r"\b(?:zusammenfass\w+|fasse?\b.{0,60}\bzusammen|überblick|reihenfolge|im lauf\w* der zeit)\b",
    r"\b(?:résum(?:é|e|er|ez)|récapitul\w+|dans quel ordre|au fil d)",
    r"\b(?:resum(?:e|en|ir|a)|recapitul\w+|en qué orden|con el tiempo)\b",
    "总结|總結|概括|概述|顺序|順序|まとめ|要約|順番",
)
_SAYING = (
    r"\b(?:ever|thing|things|tell|told|say|said|asked|ask|talk(?:ed)?|remember|conversation|chat|mention(?:ed)?|message|gesagt"
    r"|erzählt|gefragt|gespräch|dit|demandé|parlé|dije|dicho|conté|pregunté|hablamos)\b|说|告诉|聊|言|話し"
)
_POINTING = (
    r"\b(?:it|its|she|he|her|him|his|they|them|their|er|sie|es|dort|ihm|ihr|ihn|davon|dazu|il|elle|ils|elles|ça|cela|celui"
    r"|celle|lui|ello|él|ella|ellos|ellas|eso|allí|ahí|он|она|оно|они|это|там)\b"
    r"|\b(?:this|that|those|these|there|das)\b(?=\s*(?:[?.!,]|$|(?:one|is|was|were|again)\b))"
    "|它|他|她|那个|那里|それ|あれ|彼|そこ|あそこ|그것|거기"
)


def speaker_meant(text: str) -> Speaker | None:
    """Whose turns a question is about: "did you recommend" asks for the assistant's, "my order" for the user's."""
    low = text.lower()
    if _holds(_YOURS, low):
        return "assistant"
    return "user" if _holds(_MINE, low) else None


def ends_meant(text: str) -> tuple[End | None, list[str]]:
    """Whether it asks for the first or the last thing that was said, and the words that only say so."""
    low = text.lower()
    ends: tuple[tuple[End, Sequence[str]], ...] = (("first", _FIRST), ("last", _LAST))
    for end, forms in ends:
        if said := [match[0] for form in forms for match in re.finditer(form, low)]:
            return end, [*said, *(match[0] for match in re.finditer(_SAYING, low))]
    return None, []


def broad(text: str) -> bool:
    """Whether it asks about much that was said: a summary, an order of events, what a matter came to over time."""
    return _holds(_BROAD, text.lower())


def points(text: str) -> bool:
    """Whether it speaks of something by a pronoun, so that only what was said before tells what it is."""
    return bool(re.search(_POINTING, text.lower()))


def _holds(forms: Sequence[str], text: str) -> bool:
    return any(re.search(form, text) for form in forms)
