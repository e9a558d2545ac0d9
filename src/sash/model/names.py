"""Whether a model's name that nobody knows is a known one misspelt, or a model that is newer than our table. Pure.

Names are read as words and numbers (`claude`, a family, a version). A family nobody knows, and a version of a known
one, are models of their own; a word that is nearly a known one, another order, other separators or capital letters
are mistakes. It does not know which models the API serves.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

ALIKE = 0.7
"""Similarity (`difflib`, 0 to 1) from which on two words are one, misspelt: "sonet", "opsu", "hiaku"; not "nova"."""
_PARTS = re.compile(r"[a-z]+|\d+")


def misspelt(model: str, known: Sequence[str]) -> str:
    """The name that `model` is meant to be, where it is a mistake; "" where it may be a model of its own.

    `known`: ids of the form claude-FAMILY-VERSION, the newest version of a family first.
    """
    parts = _PARTS.findall(model.lower())
    numbers = [part for part in parts if part.isdigit()]
    vocabulary = {word for name in known for word in _words(_PARTS.findall(name))}
    words = [(alike(word, vocabulary, ALIKE) or word) for word in _words(parts)]
    families = [word for word in words if word != "claude"]
    if len(families) != 1 or families[0] not in vocabulary or len(words) > 2:
        return ""
    family, version = families[0], "-".join(numbers)
    meant = _known_as(family, numbers, known) or f"claude-{family}-{version}"
    right = (meant, f"claude-{version}-{family}") if meant not in known else (meant,)
    return "" if model in right else meant


def _words(parts: Sequence[str]) -> list[str]:
    return [part for part in parts if not part.isdigit()]


def alike(name: str, known: Iterable[str], least: float = 0.6) -> str:
    """The known name that is most like this one, at least so much (`difflib`, 0 to 1); "" where none is."""
    near: list[str] = _load_difflib().get_close_matches(name, sorted(known), n=1, cutoff=least)
    return next(iter(near), "")


def _load_difflib() -> Any:
    """For the few who misspell."""
    import difflib  # noqa: PLC0415

    return difflib


def _known_as(family: str, numbers: Sequence[str], known: Sequence[str]) -> str:
    """The known model of this family with these digits however they are separated; without any, its newest."""
    of_family = [name for name in known if name.startswith(f"claude-{family}")]
    digits = "".join(numbers)
    return next((name for name in of_family if digits in ("", "".join(_PARTS.findall(name)[2:]))), "")
