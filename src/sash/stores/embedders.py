"""The small embedder of the extra `semantic`: static word vectors, averaged. No network, no torch.

It reads two files of the package `wordllama` (MIT): 32,000 vectors and their tokenizer. The package itself is not
imported: its 0.4.0.post1 looks for the tokenizer in a folder other than the one it ships, and would fetch it.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sash.errors import MissingExtra
from sash.model.once import once
from sash.recall.settings import Embedder
from sash.recall.words import STOP
from sash.stores.vectors import load_numpy

WEIGHTS = "weights/l2_supercat_256.safetensors"
TOKENIZERS = ("tokenizers/l2_supercat_tokenizer_config.json", "tokenizer/l2_supercat_tokenizer_config.json")
KNOWN = 259
"""The vocabulary's first entries are single bytes, of scripts it does not know: they mean nothing ..."""
SPACE = "\u2581"
"""... and neither does the space before them, which else would make all texts in such a script alike."""
READ = 20_000
"""Characters of a text that are embedded."""

_WORD = re.compile(r"[\w']+")


class WordVectors:
    """The mean of the vectors of a text's tokens, stop words left out: they say nothing and would drown the rest."""

    name = "wordllama l2_supercat 256"

    def __init__(self, vectors: Any, tokenizer: Any) -> None:
        self._vectors, self._tokenizer = vectors, tokenizer
        self._space = tokenizer.token_to_id(SPACE)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    def embed(self, texts: list[str], /) -> Any:
        """One row of 256 numbers for each text; zeros for a text without tokens."""
        np = load_numpy()
        rows = np.zeros((len(texts), self._vectors.shape[1]), dtype=np.float32)
        encoded = self._tokenizer.encode_batch([_telling(text) for text in texts], add_special_tokens=False)
        for row, one in zip(rows, encoded, strict=True):
            if known := [number for number in one.ids if number >= KNOWN and number != self._space]:
                row[:] = self._vectors[known].mean(axis=0)
        return rows


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
    return all(map(find_spec, ("safetensors", "tokenizers", "numpy")))


@once
def word_vectors() -> WordVectors:
    """The extra's embedder, loaded once (0.3 seconds, 40 MB). Raises MissingExtra."""
    weights, tokenizer = _file(WEIGHTS), _file(*TOKENIZERS)
    safetensors, tokenizers = _load_readers()
    (vectors,) = safetensors.load_file(weights).values()
    reader = tokenizers.Tokenizer.from_file(str(tokenizer))
    reader.no_padding()
    reader.no_truncation()
    return WordVectors(vectors.astype(load_numpy().float32), reader)


def _telling(text: str) -> str:
    told = " ".join(word for word in _WORD.findall(text[:READ]) if word.lower() not in STOP)
    return told or text[:READ]


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


def _load_readers() -> tuple[Any, Any]:
    """What reads the package's files."""
    try:
        import safetensors.numpy  # noqa: PLC0415
        import tokenizers  # noqa: PLC0415
    except ImportError as error:
        raise _missing() from error
    return safetensors.numpy, tokenizers
