"""Laws of the bases: best one at hand, nothing downloaded, nothing unbounded."""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sash.counting import bases, words
from sash.counting.estimator import Estimator
from sash.errors import InvalidOption
from sash.model.cards import Generation

GENERATIONS: tuple[Generation, ...] = ("v3", "v4.7", "v5")


@pytest.mark.parametrize("generation", GENERATIONS)
def test_counts_grow_with_text(base: str, generation: Generation) -> None:
    """Twice the text is about twice the tokens, on every base and generation."""
    once, twice = (bases.base(generation, base).count("one of those long lines\n" * n) for n in (50, 100))
    assert twice == pytest.approx(2 * once, rel=0.02)


def test_the_best_base_at_hand_is_taken(base: str) -> None:
    """Without a name the best base wins: ctok before tiktoken before features."""
    order = ["ctok", "tiktoken", "features"]
    assert order.index(bases.base("v5").name) <= order.index(base)


def test_a_vocabulary_is_only_used_when_it_is_already_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty, a missing and a spoilt cache all mean: not at hand."""
    monkeypatch.setattr(bases, "_CARRIERS", ())
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path / "nothing"))
    monkeypatch.delenv("DATA_GYM_CACHE_DIR", raising=False)
    for folder in ("", str(tmp_path / "missing"), str(tmp_path)):
        monkeypatch.setenv("TIKTOKEN_CACHE_DIR", folder)
        assert bases.vocabulary_file() is None
    (tmp_path / bases._CL100K_FILE).write_bytes(b"IQ== 0\n")
    assert bases.vocabulary_file() is None


def test_a_base_that_is_not_there_is_refused_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asking by name for what is not installed says how to get it; an unknown name lists the known ones."""
    monkeypatch.setattr(bases, "_at_hand", lambda name: name == "features")
    with pytest.raises(InvalidOption, match="TIKTOKEN_CACHE_DIR"):
        bases.base.__wrapped__("v5", "tiktoken")
    with pytest.raises(InvalidOption, match="features"):
        bases.base.__wrapped__("v5", "wordcount")


def test_auto_falls_back_to_features(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no tokenizer is at hand, features alone count, and the provenance says so."""
    monkeypatch.setattr(bases, "_at_hand", lambda name: name == "features")
    assert bases.base.__wrapped__("v5", "auto").name == "features"


def test_importing_the_estimator_loads_no_tokenizer() -> None:
    """Tokenizers are loaded at the first count, never at import."""
    code = "import sys, sash.counting.estimator, sash.counting.ledger; print({'ctok', 'tiktoken'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


@given(st.text(max_size=60))
def test_any_text_can_be_counted(text: str) -> None:
    """Every string has a count of 0 or more, on every base: surrogates, NULs, unassigned code points."""
    for name in ("ctok", "tiktoken", "features"):
        if bases._at_hand(name):
            assert bases.base("v5", name).count(text) >= 0


@pytest.mark.parametrize("run", ["a", " ", "\n", "\0", "\ud800", "😀", "=", "7", "e\u0301", "人"])
def test_long_runs_are_linear(base: str, run: str) -> None:
    """A run of 300,000 equal characters is counted whole, in chunks that bound memory and time."""
    estimator = Estimator("v5", base=base)
    count = estimator.text(run * (300_000 // len(run)))
    assert count.upper >= count.tokens > 0
    assert estimator.characters == 300_000


def test_a_text_is_tokenized_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks again for the count of a text is told from memory, which stays bounded."""
    ctok, asked = pytest.importorskip("ctok"), []
    count = ctok.token_count
    monkeypatch.setattr(ctok, "token_count", lambda text, version: asked.append(text) or count(text, version))  # type: ignore[func-returns-value]
    monkeypatch.setattr(bases, "REMEMBERED", 2)
    monkeypatch.setattr(bases, "TEXTS", 2)
    counter = bases.Ctok("v5")
    asked.clear()
    assert_remembered(counter, asked)
    assert len(counter._words) <= 2


def test_a_text_is_cut_into_pieces_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for the features of a text."""
    asked: list[str] = []
    pieces = words.pieces
    monkeypatch.setattr(words, "pieces", lambda text: asked.append(text) or pieces(text))  # type: ignore[func-returns-value]
    monkeypatch.setattr(bases, "TEXTS", 2)
    assert_remembered(bases.Features("v5"), asked)


def assert_remembered(counter: bases.Ctok | bases.Features, asked: list[str]) -> None:
    """A text is looked at once, however often it is counted; of many texts, few are kept."""
    assert len({counter.count("harbours") for _ in range(3)}) == 1
    assert asked == ["harbours"]
    assert counter.count("") == 0
    for text in ("\ud800", "one", "two", "one", "three for two of one"):
        counter.count(text)
    assert len(counter._known) <= 2


WORDS = st.sampled_from(
    [
        "a",
        "The",
        "NASA",
        "it's",
        "don't",
        "s",
        "ll",
        "naïve",
        "Straße",
        "Мир",
        "İx",
        "ǅ",
        "ẞ",
        "ʯ",
        "Ωμέγα",
        "人民",
        "カ",
    ]
)
BETWEEN = st.sampled_from(
    [" ", " ", "  ", "\n", "\n\n", "\t", "", ", ", ". ", " '", "' ", "=", " = ", "7", " 1998 ", "😀 "]
)
ODD = st.sampled_from(
    ["\u0301", "\ufe0f", "\u00a0", "\u3000", "\x01", "\0", "²", "٣", "\u0730", "\ufdd0", "\ue000", "«", "’"]
)


@given(st.lists(st.tuples(st.one_of(WORDS, WORDS, ODD), BETWEEN), max_size=12), st.sampled_from(GENERATIONS))
def test_counted_by_words_a_text_is_what_ctok_says_of_it(parts: list[tuple[str, str]], generation: Generation) -> None:
    """A text counted word by word has as many tokens as ctok finds in the whole of it, whatever stands between."""
    ctok, text = pytest.importorskip("ctok"), "".join(word + between for word, between in parts)
    counter = bases.base(generation, "ctok")
    version = bases._CTOK_VERSION[generation]
    whole = ctok.token_count(text, version) - (ctok.token_count("a", version) - 1)
    assert counter.count(text) == (max(0, whole) if text else 0)


@pytest.mark.parametrize("generation", GENERATIONS)
def test_no_token_of_ctok_reaches_across_the_beginning_of_a_word(generation: Generation) -> None:
    """In its vocabulary the marks of a word's beginning stand in front of a token, that of its end behind it."""
    ctok = pytest.importorskip("ctok")
    marked = re.compile(r"(⟨shift⟩|⟨caps⟩)?(⟨bow⟩)?((?!⟨(shift|caps|bow|eow)⟩).)*(⟨eow⟩)?", re.DOTALL)
    pieces = ctok.pieces(bases._CTOK_VERSION[generation])
    assert not [piece for piece in pieces if not marked.fullmatch(piece)]
