"""What the user asked to hold from then on, and prefers, and still does: the newest first, superseded ones left out.

Pure: turns come in, sentences and their quotation go out. `CUES` are words of which a turn with an instruction holds at
least one: a search for them finds all turns that need to be read. It knows no view, no budget and no store.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from sash.model.shares import first_within
from sash.model.turns import Turn
from sash.model.values import day
from sash.recall.quoting import escaped
from sash.recall.words import runs, telling
from sash.summaries.instructions import instructs
from sash.summaries.preferences import prefers
from sash.summaries.statements import statements

OPEN = (
    "<standing_instructions>\nWhat the user said earlier and wants kept to, word for word, the newest first. "
    "Where two of them differ, the newer one holds.\n"
)
CLOSE = "</standing_instructions>"
SAME = 0.6
"""Share of common words from which a newer instruction is about the same as an older one, and takes its place."""

_WORDS = """
always, never, from now on, going forward, from here on, today on, this point on, for the rest of, further notice,
future, by default, in general, unless i, no circumstances, no matter, at all times, whenever, every time, each
time, any time, anytime, everytime, when i, if i, when someone, don t, do not, dont, stop, avoid, refrain, no, no
more, only, exclusively, keep, answer, reply, respond, speak, talk to me, write, use, stick to, stick with, be
brief, be concise, be short, be polite, be formal, be informal, be direct, be honest, be specific, call me, call us,
call him, call her, call them, call it, call my, address me, address us, refer to, you to, i prefer, d prefer, would
prefer, rather have, insist on, preference, my rule, my request, instruction, instructions, rule, rules, remember,
in mind, forget, a note, take note, note, important, nb, fyi, for the record, attention, constraint, requirement,
guideline, guidelines, policy, must, shall, may not, should not, as of now, vegetarian, vegan, pescatarian,
intolerant, intolerance, allergic, allergy, coeliac, celiac, diabetic, kosher, halal, no longer, eat, drink, again,
immer, nie, niemals, nenn mich, nenne mich, nennen sie mich, ab jetzt, ab sofort, ab heute, von nun an, in zukunft,
künftig, nur, stets, antworte, vegetarier, vegetarierin, veganer, veganerin, allergisch, désormais, dorénavant, à
partir de maintenant, appelle moi, appelez moi, toujours, jamais, réponds, végétarien, végétarienne, allergique,
ahora en adelante, a partir de ahora, siempre, nunca, llámame, responde, vegetariano, vegetariana, alérgico,
alérgica, d ora in poi, da ora in poi, sempre, mai, chiamami, rispondi, allergico, allergica, agora em diante, a
partir de agora, me chame, chame me, responda, vanaf nu, voortaan, altijd, nooit, noem me, vegetariër, zawsze,
nigdy, od teraz, nazywaj mnie, odpowiadaj, wegetarianinem, wegetarianką, uczulony, uczulona, всегда, никогда,
впредь, отныне, с этого момента, называй меня, называйте меня, зови меня, отвечай, отвечайте, вегетарианец,
вегетарианка, аллергия, دائما, دائمًا, من الآن, أبدا, أبدًا, نادني, نباتي, نباتية, حساسية, हमेशा, अब से, कभी,
शाकाहारी, एलर्जी,
prefer, rather, hate, dislike, detest, loathe, can t, cannot, can t stand, i only, fan of, keen on, fond of, afraid of,
scared of, terrified of, diet, left handed, makes me, make me, favourite, favorite, wheelchair, hearing aid, screen
reader, morning person, night owl, bevorzuge, hasse, mag, lieber, préfère, déteste, aime pas, préféré, préférée,
prefiero, odio, detesto, me gusta, me gustan, favorito, favorita, preferisco, mi piace, mi piacciono, preferito,
preferita, prefiro, odeio, gosto, haat, liever, hou niet, voorkeur, wolę, lubię, nienawidzę, предпочитаю, ненавижу,
не люблю, не ем, не пью, любимый, любимая, любимое, أفضّل, أكره, لا أحب, पसंद
"""
CUES = tuple(" ".join(cue.split()) for cue in _WORDS.split(","))
"""In the scripts whose index knows words."""
_PAIRS = """
从现 以后 总是 始终 一直 永远 千万 不要 叫我 记住 吃素 素食 过敏 必须 一定 请用 今後 これ 必ず 常に
いつ ない 呼ん ベジ アレ 菜食 항상 앞으 절대 불러 채식 알레 지금 喜欢 讨厌 好き 嫌い 苦手
좋아 싫어
"""
CHARACTERS = tuple(_PAIRS.split())
"""In those that are searched by characters."""
_PHRASES = "|".join(r"[^\w]+".join(map(re.escape, cue.split())) for cue in CUES)
_CUED = re.compile(rf"(?<!\w)(?:{_PHRASES}|lieblings\w+)(?!\w)|{'|'.join(CHARACTERS)}", re.IGNORECASE)
"""Whether any of them stands there: quicker than all the forms."""

_MANNER = """
always never from now going forward please only ever just again instead remember important note rule keep mind longer
anymore more also immer nie niemals bitte nur toujours jamais siempre nunca sempre mai altijd nooit zawsze nigdy всегда
никогда english french german spanish italian portuguese dutch polish russian arabic chinese japanese korean hindi
british american englisch deutsch französisch spanisch français anglais allemand español inglés italiano inglese
"""
_FRAME = frozenset(_MANNER.split())
"""Words that say how an instruction holds, or which of several values: two that differ in these alone are about one."""
_NAMING = re.compile(
    r"\b(?:(?:call|address) (me|us|him|her|them|it|my \w+)\b|nenn(?:e|en sie)? mich|appele?l?(?:e|ez)[- ]moi|"
    r"ll[áa]mame|chiamami|me chame|chame-me|noem me|nazywaj mnie|называй(?:те)? меня|зови(?:те)? меня|نادني)|"
    "叫我|と呼んで|불러",
    re.IGNORECASE,
)
_LANGUAGE = re.compile("[中英法德日韩俄葡意西](?:文|语|語)|日本語|한국어|영어|일본어|중국어")


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One instruction or preference of the user, word for word."""

    text: str
    turn: int
    """id of the turn it was said in"""
    seq: int
    at: float
    asked: bool = True
    """an instruction; False: a preference, which gives way where not all find room"""

    @property
    def line(self) -> str:
        """How it is quoted, with the day it was said."""
        return f"- {day(self.at)}: {escaped(' '.join(self.text.split()))}\n"


def instructions_in(turn: Turn) -> tuple[Standing, ...]:
    """Those of one turn, in their order."""
    if not _CUED.search(turn.text):
        return ()
    said = {one.text: instructs(one) for one in statements([turn]) if instructs(one) or prefers(one)}
    return tuple(
        Standing(text=text, turn=turn.id, seq=turn.seq, at=turn.at, asked=asked) for text, asked in said.items()
    )


def in_force(found: Iterable[Standing]) -> list[Standing]:
    """The newest first; of those about the same only the newest."""
    kept: list[tuple[Standing, frozenset[str]]] = []
    for one in sorted(found, key=lambda one: one.seq, reverse=True):
        about = _about(one.text)
        if not any(one.text == other.text or _alike(about, theirs) for other, theirs in kept):
            kept.append((one, about))
    return [one for one, _ in kept]


def quoted_within(found: Sequence[Standing], most: int, size: Callable[[str], int]) -> tuple[list[Standing], str]:
    """As many as `most` tokens hold, the newest first, and the text that quotes them; "" for none."""
    asked_first = sorted(found, key=lambda one: not one.asked)
    kept = {id(one) for one in first_within(asked_first, most, lambda first: size(_quoted(first)))}
    shown = [one for one in found if id(one) in kept]
    return shown, _quoted(shown) if shown else ""


def _quoted(shown: Sequence[Standing]) -> str:
    return f"{OPEN}{''.join(one.line for one in shown)}{CLOSE}"


def _about(text: str) -> frozenset[str]:
    """What it is about: its telling words, and pairs of characters where a script has no words; names are all alike."""
    if naming := _NAMING.search(text):
        return frozenset({"name", (naming[1] or "me").lower()})
    pairs = (run[at : at + 2] for run in runs(_LANGUAGE.sub("", text)) for at in range(max(1, len(run) - 1)))
    return frozenset(word for word in telling(text) if word not in _FRAME and not word.isdigit()) | frozenset(pairs)


def _alike(one: frozenset[str], other: frozenset[str]) -> bool:
    return bool(one) and len(one & other) >= SAME * len(one | other)
