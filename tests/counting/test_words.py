"""Laws of the features that the vocabulary-free bases count by."""

import os
import subprocess
import sys
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from sash.counting import words
from sash.counting.classes import _SYMBOL, _symbols, content_class


@given(st.text(st.characters(exclude_categories=["Cc", "Co", "Cs"])))
def test_pieces_lose_nothing(text: str) -> None:
    """The pieces of ordinary text, joined, are the text, and none is longer than the limit."""
    cut = words.pieces(text)
    assert "".join(cut) == text
    assert all(len(piece) <= words.LONGEST for piece in cut)


@given(st.text())
def test_every_text_has_features(text: str) -> None:
    """Any text, lone surrogates and NULs included, has features inside the vector."""
    assert all(0 <= slot < words.WIDTH for slot in words.vector(text))


@given(st.text())
def test_features_add_up(text: str) -> None:
    """A text's features are those of its pieces and of the places where they meet."""
    cut = words.pieces(text)
    total = sum(sum(words.features(piece).values()) for piece in cut)
    assert sum(words.vector(text).values()) == total + len(list(pairwise(cut)))


def test_features_are_the_same_in_every_process() -> None:
    """Hashing does not depend on the interpreter's seed: coefficients stay valid."""
    code = "from sash.counting import words; print(sorted(words.features('the').items()))"
    shown = {
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert shown == {f"{sorted(words.features('the').items())}\n".encode()}


def test_classes_of_plain_examples() -> None:
    """Prose, code, JSON and foreign scripts are told apart."""
    assert content_class("My order never came, and nobody answers the phone.") == "prose"
    assert content_class("def f(x):\n    return {k: v for k, v in x.items()}\n") == "code"
    assert content_class('{"name": "Ann", "age": 3, "tags": ["a", "b"]}') == "json"
    assert content_class("人人生而自由，在尊严和权利上一律平等。") == "scripts"


@given(st.text(st.characters(max_codepoint=127)) | st.text())
def test_symbols_are_counted_alike_in_ascii_and_beyond(text: str) -> None:
    """The shorter way through ASCII finds the symbols that the pattern finds."""
    assert _symbols(text) == len(_SYMBOL.findall(text))
