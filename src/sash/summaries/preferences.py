"""What users like and dislike, bear and do not bear: said of themselves, for good, in the present.

"I prefer trains", "I can't stand coriander", "I'm not a fan of opera", "My favourite colour is green", "Flying makes me
sick"; and so in German, French, Spanish, Italian, Portuguese, Dutch, Polish, Russian, Arabic, Hindi, Chinese, Japanese
and Korean. What somebody liked once, or asks, is no preference; nor is one in code or in a quotation.
"""

from __future__ import annotations

import re

from sash.summaries.statements import Statement

_ASKED = re.compile(r"[?？؟]\s*$")
FORMS = r"""
\bI(?:['’]d| would)?\s+(?:\w+ly\s+|always\s+|much\s+)?(?:prefer|rather)\b
\bI\s+(?:\w+ly\s+)?(?:hate|dislike|detest|loathe|avoid|(?:can['’]?t|cannot)\s+(?:stand|bear|have|eat|drink|tolerate|digest)|
    (?:don['’]?t|do\s+not)\s+(?:like|enjoy|eat|drink|drive|fly|smoke|wear|own))\b(?!\s+(?:it|that|this|to|how|when|what)\b)
\bI\s+only\s+(?:eat|drink|wear|buy|read|use|watch|listen|travel|fly|stay)\b
\bI(?:['’]m|\s+am)\s+(?:\w+ly\s+)?(?:not\s+(?:a\s+(?:big\s+|huge\s+)?fan\s+of|keen\s+on|fond\s+of)|(?:afraid|scared|terrified)\s+of|
    on\s+an?\s+(?:\w+[\s-]){1,3}diet|left-handed|an?\s+(?:\w+\s+)?(?:morning\s+person|night\s+owl|early\s+riser))\b
\bmakes?\s+me\s+(?:sick|ill|dizzy|anxious|sneeze|sleepy|nervous)\b
\bmy\s+favou?rite\s+(?:\w+\s+){1,4}(?:is|are)\b
\bI\s+use\s+an?\s+(?:wheelchair|hearing\s+aid|screen\s+reader|walking\s+stick)\b
\bich\s+(?:bevorzuge|hasse|mag\s+(?:\w+\s+){0,3}(?:nicht|kein\w*|lieber)|esse\s+kein\w*|trinke\s+kein\w*|vertrage\s+kein\w*)\b
\bmeine?\s+lieblings\w+\s+(?:ist|sind)\b
\bje\s+(?:préfère|déteste|n['’]aime\s+pas|ne\s+(?:mange|bois|supporte)\s+pas)\b|\bpréférée?s?\s+est\b
\b(?:prefiero|detesto|odio|no\s+(?:me\s+gustan?|como|bebo|soporto))\b|\bfavorit[oa]s?\s+es\b
\b(?:preferisco|detesto|non\s+(?:mi\s+piac\w+|mangio|bevo|sopporto))\b|\bpreferit[oa]\s+è\b
\b(?:prefiro|odeio|detesto|não\s+(?:gosto|como|bebo|suporto))\b
\bik\s+(?:haat|heb\s+liever|hou\s+niet|eet\s+geen|drink\s+geen|geef\s+de\s+voorkeur)\b
\b(?:wolę|nie\s+(?:lubię|jem|piję|znoszę)|nienawidzę)\b
\bя\s+(?:предпочитаю|ненавижу|не\s+(?:люблю|ем|пью|переношу))\b|\bлюбим(?:ый|ая|ое)\b[^.]*(?:—|это)
أفضّل|أكره|(?:^|\s)لا (?:أحب|آكل|أشرب)
पसंद (?:है|नहीं)
我(?:更|最|不|很不)?喜欢|我讨厌|我不(?:吃|喝|爱)
(?:が|は)(?:好き|嫌い|苦手)です|の方が好き
(?:을|를|이|가) (?:더 )?(?:좋아해|싫어해|좋아합|싫어합|못 먹)
"""
"""A form a line; one that begins with blanks goes on with the line before it."""
_FORMS = re.compile("|".join(f"(?:{form})" for form in re.sub(r"\n {4}", "", FORMS).split("\n") if form), re.IGNORECASE)


def prefers(statement: Statement) -> bool:
    """Whether the user says what he likes or bears."""
    if statement.speaker != "user" or statement.quoted or _ASKED.search(statement.text):
        return False
    return bool(_FORMS.search(statement.text))
