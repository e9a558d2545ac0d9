"""Laws of the estimator, and its reach on recorded counts."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from benchmarks.counting import against_transcripts, against_truth, interval

from sash.counting import bases
from sash.counting.estimator import Estimator
from sash.errors import InvalidOption
from sash.model.cards import Generation

# (generation, text, tokens of the text as a single user message): public examples of ctok's documentation,
# measured on the counting endpoint.
RECORDED: tuple[tuple[Generation, str, int], ...] = (
    ("v3", "hello, world", 10),
    ("v4.7", "hello, world", 15),
    ("v5", "hello, world", 10),
    ("v4.7", "the", 12),
)


@pytest.mark.parametrize(("generation", "text", "tokens"), RECORDED)
def test_single_messages_come_out_as_recorded(base: str, generation: Generation, text: str, tokens: int) -> None:
    """A text with its frame: exact on ctok, and below the bound on every base."""
    estimator = Estimator(generation, base=base)
    count = estimator.preamble() + estimator.message("user", text)
    assert count.upper >= tokens
    assert base != "ctok" or count.tokens == tokens


def test_an_unknown_model_counts_as_the_newest_with_a_wider_bound(base: str) -> None:
    """The number is the newest generation's; the bound is wider; the provenance says why."""
    known = Estimator.for_model("claude-opus-5", base=base).text("a few words of plain prose " * 20)
    guess = Estimator.for_model("claude-sonnet-9", base=base).text("a few words of plain prose " * 20)
    assert guess.tokens == known.tokens
    assert guess.upper > known.upper + 0.1 * known.tokens
    assert guess.base == f"{base}/v5 (unknown model)"


def test_a_higher_coverage_has_a_higher_bound() -> None:
    """The bound grows with the coverage asked for; a coverage of 1 cannot be had."""
    bounds = [
        Estimator("v5", base="features", coverage=c).text("some words here " * 30).upper for c in (0.5, 0.9, 0.999)
    ]
    assert bounds == sorted(bounds)
    assert bounds[0] < bounds[-1]
    with pytest.raises(InvalidOption, match="coverage"):
        Estimator("v5", coverage=1.0)


def test_the_tool_prompt_is_the_models_own() -> None:
    """Opus 4.7 brings 675 tokens with its tools, Opus 4.8 290."""
    tool = {"name": "a", "input_schema": {"type": "object"}}
    old, new = (
        Estimator.for_model(model, base="features") for model in ("claude-opus-4-7-20260416", "claude-opus-4-8")
    )
    assert old.preamble((), [tool]).tokens - old.preamble().tokens > 600
    assert new.preamble((), [tool]).tokens - new.preamble().tokens < 350


@pytest.fixture
def truth(data: Path) -> list[dict[str, Any]]:
    """A sixth of the recorded counts."""
    raw = gzip.decompress((data / "token_counts" / "counts.jsonl.gz").read_bytes())
    return [json.loads(line) for line in raw.splitlines()][::6]


@pytest.mark.slow
def test_reach_on_recorded_counts(truth: list[dict[str, Any]]) -> None:
    """On ctok nearly all texts are exact; on the others errors stay small; the bound holds 99.5% of the time."""
    for row in against_truth(truth, "auto"):
        if row["coverage"] is not None:
            hits = round(row["coverage"] * row["n"])
            assert interval(hits, row["n"])[1] >= 0.995, row
        if row["method"] == "sash" and bases.base("v5").name == "ctok":
            assert row["exact"] >= 0.97, row
            assert row["within_1_percent"] >= 0.99, row
        elif row["method"].startswith("sash"):
            assert row["median"] <= 0.04, row
            assert row["p90"] <= 0.12, row


@pytest.mark.slow
def test_reach_on_recorded_sessions(data: Path) -> None:
    """Whole requests of real sessions are predicted to half a percent, and the endpoint is rarely asked."""
    report = against_transcripts(
        sorted((data / "transcripts").glob("*.jsonl"))[2:3], "auto", range(15_000, 80_000, 5_000)
    )
    assert report["requests"] >= 9
    assert report["median"] <= 0.005
    assert report["endpoint_calls_per_100"] <= 5
