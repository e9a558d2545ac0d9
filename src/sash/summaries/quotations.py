"""What a sentence passes on of others: quotations, and what stands behind "Translate:" or "She said:".

"Translate: 'I live in Paris'" says nothing of where its speaker lives. One quoted word is a name ("call me 'Ann'"), and
stays. It knows no languages but those of its marks and of the verbs listed here.
"""

from __future__ import annotations

import re

from sash.model.patterns import late

_SINGLE = r"(?:[^{0}]|(?<=\w){0}(?=\w))+"
_QUOTATION = late(
    r"(?<![\w\"])\"[^\"]+\"|“[^”]+”|„[^“”\"]+[“”\"]|«[^»]+»|»[^«]+«|「[^」]+」|『[^』]+』|`[^`]+`|"
    rf"‘{_SINGLE.format('’')}’(?!\w)|(?<![\w'])'(?=\S){_SINGLE.format(chr(39))}(?<=\S)'(?!\w)"
)
_OPEN = late(r"(?<!\w)[\"“„«「『](?=\S)[^\"”“»」』]*$")
_MARKED = late(r"[\"“„«»「『`‘:：]|(?<!\w)'")
"""Whether there may be any: quicker than all the forms."""
_CLOSING = late(r"[\"”“»」』]")
_SEVERAL = late(r"\w\W+\w|[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]{3}")
"""More than one word, or as much in a script without spaces."""

_SAID = re.sub(
    r"\s*\n\s*",
    "",
    r"""
    says|(?<!\bI )(?<!\bwe )(?<!\bas )(?:said|wrote|told|asked)|writes|asks|reads|(?:do|would) you say|how to say|
    translate|rephrase|proofread|rewrite|correct (?:this|the|my)|paraphrase|summari[sz]e|
    sagt|schreibt|schrieb|(?<!\bich )sagte|übersetz\w*|korrigier\w*|
    dit|écrit|tradui\w*|corrige\w*|dice|dijo|escribe|escribió|traduc\w*
    """,
)
_SAID_HERE = "翻译|翻譯|訳|润色|改写|(?<!我)说"
_INTRODUCED = late(rf"(?:\b(?:{_SAID})\b[^:：]{{0,60}}|(?:{_SAID_HERE})[^:：]{{0,20}})[:：]", re.IGNORECASE)
"""What stands before words of somebody else, or a text to be worked on."""


def without_quotations(text: str) -> str:
    """A sentence without what it quotes."""
    if not _MARKED.search(text):
        return text
    own = _OPEN.sub(" … ", _QUOTATION.sub(_left_out, text))
    introduced = _INTRODUCED.search(own)
    return own[: introduced.end()] if introduced else own


def left_open(sentence: str, within: bool) -> bool:
    """Whether a quotation goes on behind a sentence; `within`: whether it had begun before."""
    if within:
        return not _CLOSING.search(sentence)
    return bool(_MARKED.search(sentence)) and bool(_OPEN.search(_QUOTATION.sub("", sentence)))


def introduces(line: str) -> bool:
    """Whether what follows a line is somebody else's, or a text to be worked on."""
    end = line.rstrip()
    return end.endswith((":", "：")) and bool(_INTRODUCED.search(end))


def _left_out(found: re.Match[str]) -> str:
    return " … " if _SEVERAL.search(found[0][1:-1]) else found[0]
