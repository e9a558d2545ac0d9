"""The simulator's own token counts."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sash.model.cards import card
from sash.simulator.tokens import cut_text, image_size, image_tokens, pdf_pages, server_tool, tokenizer_for, tool_prompt

from .samples import PIXEL

ENGLISH = (
    "Caroline asked whether the delivery had arrived before the weekend. We had not heard anything since Tuesday, "
    "so she called the warehouse, and they promised to look into it the very same afternoon."
)


MODEL_OF = {"v3": "claude-sonnet-4-6", "v4.7": "claude-opus-4-7", "v5": "claude-sonnet-5-5"}


def count_text(text: str, generation: str) -> int:
    """Tokens of a text by the built-in rule for models of a generation."""
    return tokenizer_for(card(MODEL_OF[generation]))(text)


def test_newer_models_need_about_thirty_per_cent_more() -> None:
    """The same English text costs 25 to 50 % more tokens from 4.7 on."""
    old, new = count_text(ENGLISH, "v3"), count_text(ENGLISH, "v5")
    assert 1.25 <= new / old <= 1.5


@given(st.text(max_size=200), st.text(max_size=200))
def test_counts_are_positive_and_nearly_additive(first: str, second: str) -> None:
    """No text is free, none but the empty one counts 0, and joining two texts changes their sum by little."""
    for generation in ("v3", "v4.7", "v5"):
        one, two, both = (count_text(t, generation) for t in (first, second, first + second))
        assert (one > 0) == bool(first)
        assert abs(both - one - two) <= 4


@given(st.text(max_size=300), st.integers(0, 60))
def test_cut_text_is_a_beginning_that_fits(text: str, most: int) -> None:
    """A cut text begins the text and needs no more than what was allowed."""
    cut = cut_text(text, most, lambda part: count_text(part, "v5"))
    assert text.startswith(cut)
    assert count_text(cut, "v5") <= most


@pytest.mark.parametrize(
    ("size", "model", "tokens"),
    [
        ((1000, 1000), "claude-sonnet-4-5", 1296),
        ((1000, 1000), "claude-sonnet-5-5", 1296),
        ((1920, 1080), "claude-sonnet-4-5", 1560),
        ((1920, 1080), "claude-sonnet-5-5", 2691),
        ((3840, 2160), "claude-sonnet-5-5", 4784),
    ],
)
def test_images_count_as_documented(size: tuple[int, int], model: str, tokens: int) -> None:
    """The examples of the "Vision" documentation."""
    assert image_tokens(size, card(model)) == tokens


def test_image_sizes_are_read_from_the_bytes() -> None:
    """Width and height come from the header; what is no picture has none."""
    assert image_size(PIXEL) == (1, 1)
    assert image_size("R0lGODlhAwACAAAAACw=") == (3, 2)
    assert image_size("bm90IGEgcGljdHVyZQ==") is None
    assert image_size("!") is None


def test_pdf_pages_are_counted() -> None:
    """A page is an object of type Page; the tree above them is none."""
    pdf = b"%PDF-1.4 <</Type /Pages>> <</Type /Page >> <</Type/Page\n>>"
    assert pdf_pages(base64.b64encode(pdf).decode()) == 2


def test_published_tool_prompts() -> None:
    """The numbers of the "Tool use overview"."""
    assert tool_prompt("claude-opus-5") == (286, 406)
    assert tool_prompt("claude-sonnet-4-5") == (496, 588)
    assert server_tool("bash_20250124", "v5") == 325
    assert server_tool("bash_20250124", "v3") == 244


def test_counts_match_the_real_endpoint_on_code(data: Path) -> None:
    """On real code the median is within 5 % of the real endpoint, and nine of ten texts within 30 %."""
    frames = {"v3": 7, "v4.7": 11, "v5": 6}
    ratios: dict[str, list[float]] = {name: [] for name in frames}
    with gzip.open(data / "token_counts" / "counts.jsonl.gz", "rt") as lines:
        for line in lines:
            row = json.loads(line)
            for name, frame in frames.items():
                if row["kind"] == "code" and len(row["text"]) > 200 and name in row["generation"]:
                    ratios[name].append(count_text(row["text"], name) / (row["generation"][name] - frame))
    for found in ratios.values():
        assert abs(median(found) - 1) < 0.05
        assert sum(0.7 < ratio < 1.3 for ratio in found) / len(found) > 0.9
