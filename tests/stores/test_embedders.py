"""Laws of the small embedder: what it keeps of words tells what their vectors tell."""

from __future__ import annotations

import re
from importlib.util import find_spec

import numpy as np
import pytest

from sash.recall.words import STOP
from sash.stores import embedders
from sash.stores.vectors import unit_rows

pytestmark = pytest.mark.skipif(find_spec("wordllama") is None, reason="the extra `semantic` is not installed")


def test_words_are_as_close_as_their_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept of words (their tokens) tells the cosines that whole vectors tell, however many are learned at once
    and whatever is forgotten between."""
    monkeypatch.setattr(embedders, "AT_ONCE", 2)
    monkeypatch.setattr(embedders, "REMEMBERED", 3)
    words, asked = ["dogs", "puppies", "ᚠᚢᚦ", "invoice", "क्या", "x11380", "furniture"], ["dog", "the", "ᚠ"]
    embedder = embedders.word_vectors()
    known = embedders.Meanings(embedder)
    known.add(words[:1])
    known.add(words[1:])
    rows, vectors = (unit_rows(embedder.embed(texts), len(texts), "words") for texts in (asked, words))
    assert np.allclose(known.closeness(rows), rows @ vectors.T, atol=1e-5) and len(known) == len(words)
    assert known.closeness(rows)[0][0] > 0.5 and not known.closeness(rows)[0][2]
    own = known.closeness(vectors)
    assert all(own[at][at] == 1.0 for at in range(len(words)) if at != 2)


def test_a_text_means_what_its_words_mean_together() -> None:
    """Encoded word by word, a text has the tokens that it has as a whole."""
    embedder = embedders.word_vectors()
    for text in ("Don't forget my naïve puppy's 2nd bed!", "The quick brown fox", "今日は良い天気 です", "of the and"):
        told = [word for word in re.findall(r"[\w']+", text) if word.lower() not in STOP]
        whole = embedder._tokenizer.encode(" ".join(told) or text, add_special_tokens=False).ids
        assert [*embedder.tokens([text])[0]] == [one for one in whole if one >= 259 and one != embedder._space]
