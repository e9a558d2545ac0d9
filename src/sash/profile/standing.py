"""What the user asked to hold from then on, and prefers, and still does: the newest first, superseded ones left out.

Pure: turns come in, sentences and their quotation go out. `CUES` are words of which a turn with an instruction holds at
least one: a search for them finds all turns that need to be read. It knows no view, no budget and no store.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from sash.model.shares import first_within
from sash.model.turns import Turn
from sash.model.values import day
from sash.profile.entries import Kind
from sash.profile.holding import replaces
from sash.profile.rules import prefers
from sash.profile.topics import topic_of
from sash.recall.quoting import escaped
from sash.summaries.instructions import instructs
from sash.summaries.statements import statements

OPEN = (
    "<standing_instructions>\nWhat the user said earlier and wants kept to, word for word, the newest first. "
    "Where two of them differ, the newer one holds.\n"
)
CLOSE = "</standing_instructions>"
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
love, enjoy, adore, i like, ly like, also like, still like, always like, do like, prefer, rather, hate, dislike,
detest, loathe, can t, cannot, can t stand, i only, fan of, keen on, fond of, afraid of, scared of, terrified of,
diet, left handed, makes me, make me, favourite, favorite, wheelchair, hearing aid, screen reader, morning person,
night owl, bevorzuge, hasse, liebe, mag, esse, trinke, vertrage, lieber, j aime, j adore, préfère, déteste, aime pas,
mange pas, bois pas, préféré, préférée, prefiero, odio, detesto, me gusta, me gustan, me encanta, me encantan, no
como, no bebo, favorito, favorita, preferisco, mi piace, mi piacciono, preferito,
preferita, prefiro, odeio, gosto, haat, liever, hou niet, voorkeur, wolę, lubię, nienawidzę, предпочитаю, ненавижу,
не люблю, не ем, не пью, любимый, любимая, любимое, أفضّل, أكره, لا أحب, पसंद
"""
CUES = tuple(" ".join(cue.split()) for cue in _WORDS.split(","))
"""In the scripts whose index knows words."""
_PAIRS = """
从现 以后 总是 始终 一直 永远 千万 不要 叫我 记住 吃素 素食 过敏 必须 一定 请用 今後 これ 必ず 常に
いつ ない 呼ん ベジ アレ 菜食 항상 앞으 절대 불러 채식 알레 지금 喜欢 讨厌 我爱 偏好 我不 好き 嫌い 苦手
좋아 싫어
"""
CHARACTERS = tuple(_PAIRS.split())
"""In those that are searched by characters."""
_STEM = "lieblings"
"""Any word that begins so is a cue."""
_WORD = re.compile(r"\w+")


def _by_first_word() -> Mapping[str, Sequence[list[str]]]:
    """The cues by their first word: the words that follow it."""
    found = defaultdict[str, list[list[str]]](list)
    for cue in CUES:
        first, *rest = _WORD.findall(cue)
        found[first].append(rest)
    return dict(found)


_FOLLOWING = _by_first_word()


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
    def kind(self) -> Kind:
        """What it is."""
        return "instruction" if self.asked else "preference"

    @property
    def topic(self) -> str:
        """What it is about, as in a profile."""
        return topic_of(self.text, self.kind)

    @property
    def line(self) -> str:
        """How it is quoted, with the day it was said."""
        return f"- {day(self.at)}: {escaped(' '.join(self.text.split()))}\n"


def instructions_in(turn: Turn) -> tuple[Standing, ...]:
    """Those of one turn, in their order."""
    if not is_cued(turn.text):
        return ()
    said = {one.text: asked for one in statements([turn]) if (asked := instructs(one)) or prefers(one)}
    return tuple(
        Standing(text=text, turn=turn.id, seq=turn.seq, at=turn.at, asked=asked) for text, asked in said.items()
    )


def is_cued(text: str) -> bool:
    """Whether any of the cues stands there: quicker than all the forms, or than one pattern of all cues."""
    said = text.lower()
    words = _WORD.findall(said)
    return (
        any(_is_there(first, words) for first in _FOLLOWING.keys() & words)
        or (_STEM in said and any(word.startswith(_STEM) for word in words))
        or (not text.isascii() and any(pair in text for pair in CHARACTERS))
    )


def _is_there(first: str, words: list[str]) -> bool:
    """Whether a cue that begins with this word stands among words."""
    rests = _FOLLOWING[first]
    return [] in rests or any(
        words[at : at + len(rest)] == rest for at, word in enumerate(words, 1) if word == first for rest in rests
    )


def in_force(found: Iterable[Standing]) -> list[Standing]:
    """The newest first; of those about the same only the newest."""
    kept: list[Standing] = []
    for one in sorted(found, key=lambda one: one.seq, reverse=True):
        if not any(one.text == newer.text or replaces(newer, one) for newer in kept):
            kept.append(one)
    return kept


def quoted_within(found: Sequence[Standing], most: int, size: Callable[[str], int]) -> tuple[list[Standing], str]:
    """As many as `most` tokens hold, the newest first, and the text that quotes them; "" for none."""
    asked_first = sorted(found, key=lambda one: not one.asked)
    kept = {id(one) for one in first_within(asked_first, most, lambda first: size(_quoted(first)))}
    shown = [one for one in found if id(one) in kept]
    return shown, _quoted(shown) if shown else ""


def _quoted(shown: Sequence[Standing]) -> str:
    return f"{OPEN}{''.join(one.line for one in shown)}{CLOSE}"
