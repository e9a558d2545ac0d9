"""The tokenizer at hand: `ctok`, else `tiktoken` with a vocabulary that is already here, else features alone.

A base counts the tokens of a text as one Claude tokenizer generation would, without any message frame.
`ctok` reconstructs Claude's own counts; the other two are linear models fitted on recorded counts
(`benchmarks/fit_counting.py`). Nothing is ever downloaded: a vocabulary file is read from the places where
tiktoken and packages keep it, checked by its hash, or the next base is taken. Raises InvalidOption for a
base that was asked for by name and is not there.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from base64 import b64decode
from collections.abc import Callable
from functools import cache
from hashlib import blake2b, sha256
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

from sash.counting import words
from sash.counting.weights import Weights, weights
from sash.errors import InvalidOption
from sash.model.cards import Generation
from sash.model.once import once
from sash.model.patterns import late

BaseName = Literal["ctok", "tiktoken", "features"]
"""Best first."""

CHUNK = 100_000
"""Characters given to a tokenizer at once: bounds its memory."""
COUNTED = 1_000_000
"""Characters counted of one text; a longer one is counted in evenly spaced chunks and scaled."""

REMEMBERED = 50_000
"""Words whose counts a base keeps in memory: a few megabytes."""
TEXTS = 4_096
"""Whole texts whose counts it keeps: system prompts and tools come again, what is said hardly does."""
LONGEST = 32
"""Characters of a word that is remembered; longer ones hardly come again."""

_CTOK_VERSION: dict[Generation, str] = {"v3": "3.0", "v4.7": "4.7", "v5": "4.8"}

# File name in a tiktoken cache (sha1 of the vocabulary's address) and sha256 of its content, from
# tiktoken_ext/openai_public.py, where the pattern comes from too.
_CL100K_FILE = "9b5ad71b2ce5302211f9c61530b329a4922fc6a4"
_CL100K_SHA256 = "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7"
_CL100K_PATTERN = (
    r"""'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$"""
    r"""|\s*[\r\n]|\s+(?!\S)|\s"""
)
# Packages that carry the file among their data.
_CARRIERS = (
    ("llama_index", "core/_static/tiktoken_cache"),
    ("litellm", "litellm_core_utils/tokenizers"),
)


class Base(Protocol):
    """Counts the tokens of one text (at most `CHUNK` characters) for one generation, without a frame."""

    name: BaseName

    def count(self, text: str) -> float: ...


_LETTERS = "A-Za-zÀ-ÖØ-öø-ʯЀ-ҁҊ-ԯ"
_WORDS = late(rf"(?<=[ \n\t])(?=[{_LETTERS}])")
"""Where a word begins behind white space, in scripts whose words ctok marks by their beginning."""


class _Remembering(ABC):
    """Counts a text once, and remembers it by its digest: many conversations ask for the same prompt and tools."""

    def __init__(self) -> None:
        self._known: dict[bytes, float] = {}

    def count(self, text: str) -> float:
        digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        known = self._known.get(digest)
        if known is None:
            if len(self._known) >= TEXTS:
                self._known.clear()
            known = self._known[digest] = self._counted(text)
        return known

    @abstractmethod
    def _counted(self, text: str) -> float: ...


class Ctok(_Remembering):
    """Claude's own counts, reconstructed offline. Exact on nearly all recorded requests.

    A text is counted word by word, for ctok takes its time over each, and texts repeat theirs. That makes no
    difference: ctok puts a mark where a word begins behind white space, and none of its tokens goes on across that.
    """

    name: BaseName = "ctok"

    def __init__(self, generation: Generation) -> None:
        super().__init__()
        self._count: Callable[[str, str], int] = _load_ctok().token_count
        self._version = _CTOK_VERSION[generation]
        # ctok counts a text as a whole user message; "a" is one token in every generation.
        self._frame: int = self._count("a", self._version) - 1
        self._words: dict[str, int] = {}

    def _counted(self, text: str) -> float:
        if not text:
            return 0
        *words, last = _WORDS.split(text)
        known = self._words.get
        before = [known(word) or self._word(word) for word in words]
        return sum(before) + max(0, self._count(last, self._version) - self._frame)

    def _word(self, word: str) -> int:
        """The tokens of a word and what stands behind it, up to the next word: here "a", one token."""
        tokens = self._count(f"{word}a", self._version) - self._frame - 1
        if len(word) <= LONGEST:
            if len(self._words) >= REMEMBERED:
                self._words.clear()
            self._words[word] = tokens
        return tokens


class Features(_Remembering):
    """A linear model of the text's features: no vocabulary at all."""

    name: BaseName = "features"

    def __init__(self, generation: Generation) -> None:
        super().__init__()
        self._weights = weights(generation, "features")
        self._costs: dict[str, tuple[int, float]] = {}
        self._junctions = _junctions(self._weights)

    def _counted(self, text: str) -> float:
        return max(0.0, self._linear(text))

    def _linear(self, text: str) -> float:
        """The model's value, which may fall below zero on a few characters."""
        priced = [self._priced(piece) for piece in words.pieces(text)]
        meetings = sum(self._junctions[left][right] for (left, _), (right, _) in pairwise(priced))
        return sum(cost for _, cost in priced) + meetings

    def _priced(self, piece: str) -> tuple[int, float]:
        """(kind, tokens) of one piece, remembered: text repeats its words."""
        known = self._costs.get(piece)
        if known is None:
            if len(self._costs) >= REMEMBERED:
                self._costs.clear()
            table = self._weights.values
            cost = sum(table[slot] * amount for slot, amount in words.features(piece).items())
            known = self._costs[piece] = (words.kind(piece), cost)
        return known


class Tiktoken(Features):
    """cl100k's count and the text's features together: closer than either."""

    name: BaseName = "tiktoken"

    def __init__(self, generation: Generation) -> None:
        super().__init__(generation)
        self._weights = weights(generation, "tiktoken")
        self._junctions = _junctions(self._weights)
        self._encode = _load_tiktoken()

    def _counted(self, text: str) -> float:
        ours = vocabulary_features(text, len(self._encode(text)))
        return max(0.0, self._linear(text) + sum(w * x for w, x in zip(self._weights.extra, ours, strict=True)))


def vocabulary_features(text: str, tokens: int) -> tuple[float, float, float]:
    """What a foreign tokenizer's count adds to the features: alone, and by how foreign or symbolic the text is."""
    length = len(text) or 1
    foreign = sum(char > "\x7f" for char in text) / length
    symbols = sum(not char.isalnum() and not char.isspace() for char in text) / length
    return (tokens, tokens * foreign, tokens * symbols)


def _junctions(table: Weights) -> list[list[float]]:
    kinds = range(len(words.KINDS))
    return [[table.values[words.junction(left, right)] for right in kinds] for left in kinds]


@once
def base(generation: Generation, name: str = "auto") -> Base:
    """The base of that name, or the best one at hand for "auto". Loaded once per generation.

    Raises InvalidOption when `name` is unknown, or when the base asked for is not installed.
    """
    if name not in ("auto", *get_args(BaseName)):
        raise InvalidOption(
            f"counter={name!r}: choose auto, {', '.join(get_args(BaseName))}", option="counter", value=name
        )
    wanted = get_args(BaseName) if name == "auto" else (name,)
    for candidate in wanted:
        if _at_hand(candidate):
            return _MAKERS[candidate](generation)
    raise InvalidOption(f"counter={name!r} is not at hand: {_REMEDY[name]}", option="counter", value=name)


_MAKERS: dict[str, Callable[[Generation], Base]] = {"ctok": Ctok, "tiktoken": Tiktoken, "features": Features}
_REMEDY = {
    "ctok": "pip install ctok (Python 3.12 or newer)",
    "tiktoken": "put cl100k's vocabulary into TIKTOKEN_CACHE_DIR once while online, or use counter='auto'",
}


def _at_hand(name: str) -> bool:
    if name == "ctok":
        return find_spec("ctok") is not None
    if name == "tiktoken":
        return find_spec("tiktoken") is not None and vocabulary_file() is not None
    return True


def _load_ctok() -> Any:
    """The one place that imports ctok: 0.3 s and 75 MB for the first generation, 0.1 s and 20 MB for the second."""
    import ctok  # noqa: PLC0415

    return ctok


@once
def _load_tiktoken() -> Callable[[str], list[int]]:
    """The one place that imports tiktoken. Built from the file's bytes: its own loader might download."""
    import tiktoken  # noqa: PLC0415

    path = vocabulary_file()
    assert path is not None  # _at_hand was asked first
    lines = (line.split() for line in path.read_bytes().splitlines() if line)
    encoding = tiktoken.Encoding(
        name="cl100k_base",
        pat_str=_CL100K_PATTERN,
        mergeable_ranks={b64decode(token): int(rank) for token, rank in lines},
        special_tokens={},
    )
    return encoding.encode_ordinary


def vocabulary_file() -> Path | None:
    """Where cl100k's vocabulary already lies on this machine, unspoilt; None when it would have to be fetched."""
    paths = (directory / _CL100K_FILE for directory in _places())
    return next((path for path in paths if _unspoilt(path)), None)


def _places() -> list[Path]:
    """tiktoken's own cache first (its environment variables, its default), then packages that carry the file."""
    named = [Path(os.environ[key]) for key in ("TIKTOKEN_CACHE_DIR", "DATA_GYM_CACHE_DIR") if os.environ.get(key)]
    carried = [
        Path(root) / inner
        for package, inner in _CARRIERS
        if (spec := find_spec(package)) is not None
        for root in spec.submodule_search_locations or ()
    ]
    return [*named, Path(_load_tempfile().gettempdir()) / "data-gym-cache", *carried]


def _load_tempfile() -> Any:
    """What tells where temporary files are; it brings archives and compression along."""
    import tempfile  # noqa: PLC0415

    return tempfile


@cache
def _unspoilt(path: Path) -> bool:
    return path.is_file() and sha256(path.read_bytes()).hexdigest() == _CL100K_SHA256
