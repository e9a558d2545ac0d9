"""Fit the coefficients that ship in `sash/counting/weights.json`, and report errors on texts not fitted on.

    python -m benchmarks.fit_counting --truth counts.jsonl.gz [--out src/sash/counting/weights.json]

The truth is one JSON object a line: `text`, `kind`, `generation` (v3, v4.7, v5 -> tokens of the text as a
single user message). ctok labels the fragments, after being checked against the recorded counts of the
whole texts; Unicode blocks that no text shows are covered by random words of their letters. Errors and
residuals come from five-fold cross-validation over whole texts. Needs ctok, numpy and cl100k's vocabulary.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import unicodedata
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from sash.counting import words
from sash.counting.bases import Ctok, _load_tiktoken, vocabulary_features
from sash.counting.bounds import Cell, quantiles, scale
from sash.counting.classes import CLASSES, content_class
from sash.counting.weights import VOCABULARY

Matrix = np.ndarray[Any, Any]

FRAGMENT = 150
LONGEST_TEXT = 12_000
"""Characters of one text that are fitted on: no text outweighs the others."""
RIDGE = 0.05
FOLDS = 5
RESIDUAL_SIZES = (40, 150, 600, 10**9)
FRAME = {"v3": 7, "v4.7": 11, "v5": 6}
EXTRA = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A text with its tokens, and the fold that must not be used to predict it (-1: only fitted on)."""

    text: str
    tokens: float
    fold: int
    kind: str = ""


def main() -> None:
    """Fit, write, and print what was reached."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fit_counting", description=__doc__.split("\n")[0])
    parser.add_argument("--truth", required=True, type=Path, help="recorded counts (.jsonl or .jsonl.gz)")
    parser.add_argument("--out", type=Path, default=Path("src/sash/counting/weights.json"))
    options = parser.parse_args()
    rows = read_truth(options.truth)
    fitted: dict[str, Any] = {"weights": {}, "residuals": {}, "held_out": {}}
    for vocabulary in dict.fromkeys(VOCABULARY.values()):
        print(f"{vocabulary}: {exactness(rows, vocabulary)}")
        fit_vocabulary(rows, vocabulary, fitted)
    fitted["made_by"] = f"python -m benchmarks.fit_counting --truth {options.truth.name}"
    fitted["texts"] = len(rows)
    options.out.write_text(json.dumps(fitted, separators=(",", ":")) + "\n", encoding="utf-8")
    print(json.dumps(fitted["held_out"], indent=1))


def read_truth(path: Path) -> list[dict[str, Any]]:
    """The recorded texts, in order."""
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [json.loads(line) for line in raw.decode("utf-8").split("\n") if line.strip()]


def exactness(rows: Sequence[dict[str, Any]], vocabulary: str) -> str:
    """How many recorded counts ctok meets: the fragments' labels are worth no more than this."""
    base = Ctok(vocabulary)  # type: ignore[arg-type]
    met = sum(base.count(row["text"]) + FRAME[vocabulary] == row["generation"][vocabulary] for row in rows)
    return f"ctok meets {met} of {len(rows)} recorded counts"


def fit_vocabulary(rows: Sequence[dict[str, Any]], vocabulary: str, fitted: dict[str, Any]) -> None:
    """Coefficients, residual cells and held-out errors of both linear bases, and ctok's residuals."""
    samples = list(fragments(rows, vocabulary))
    features = np.array([row_of(sample.text) for sample in samples], dtype=np.float32)
    checks = list(held_out_texts(rows, vocabulary))
    check_features = np.array([row_of(sample.text) for sample in checks], dtype=np.float32)
    entry = fitted["weights"][vocabulary] = {}
    residuals = fitted["residuals"][vocabulary] = {"ctok": cells(*ctok_residuals(rows, vocabulary))}
    errors = fitted["held_out"][vocabulary] = {}
    for name, width in (("features", words.WIDTH), ("tiktoken", words.WIDTH + EXTRA)):
        folds = solve(features[:, :width], samples)
        entry[name] = packed(folds[-1])
        predicted = guesses(checks, check_features[:, :width], folds)
        residuals[name] = cells(checks, predicted)
        errors[name] = summary(checks, predicted)
        errors[name]["coverage"] = coverage(checks, predicted)


def guesses(samples: Sequence[Sample], features: Matrix, folds: Sequence[Matrix]) -> Matrix:
    """Each sample predicted by the solution that did not see its text."""
    return np.array([max(0.0, float(x @ folds[s.fold])) for s, x in zip(samples, features, strict=True)])


def fragments(rows: Sequence[dict[str, Any]], vocabulary: str) -> Iterator[Sample]:
    """Pieces of the texts, and of Unicode blocks, with ctok's counts."""
    base = Ctok(vocabulary)  # type: ignore[arg-type]
    for number, row in enumerate(rows):
        text = row["text"][:LONGEST_TEXT]
        for start in range(0, len(text), FRAGMENT):
            part = text[start : start + FRAGMENT]
            yield Sample(text=part, tokens=base.count(part), fold=number % FOLDS)
    for part in block_words(random.Random(5)):
        yield Sample(text=part, tokens=base.count(part), fold=-1)


def block_words(chance: random.Random) -> Iterator[str]:
    """Random words of each Unicode block; of the large ideographic ranges, one block in twenty."""
    for start in range(0x80, 0x30000, 64):
        letters = [chr(code) for code in range(start, start + 64) if _usable(code)]
        if len(letters) < 8 or (start >= 0x3400 and chance.random() > 0.05):
            continue
        for _ in range(2):
            yield " ".join("".join(chance.choices(letters, k=chance.randint(1, 8))) for _ in range(15))


def _usable(code: int) -> bool:
    return not 0xD800 <= code < 0xE000 and unicodedata.category(chr(code))[0] in "LMNSP"


@lru_cache(maxsize=300_000)
def _piece(piece: str) -> tuple[tuple[int, ...], tuple[float, ...]]:
    found = words.features(piece)
    return tuple(found), tuple(map(float, found.values()))


def row_of(text: str) -> Matrix:
    """The features of a text and what cl100k's count adds."""
    row = np.zeros(words.WIDTH + EXTRA, dtype=np.float32)
    cut = words.pieces(text)
    for piece in cut:
        slots, amounts = _piece(piece)
        row[list(slots)] += amounts
    for left, right in pairwise(cut):
        row[words.junction(words.kind(left), words.kind(right))] += 1
    row[words.WIDTH :] = vocabulary_features(text, len(_load_tiktoken()(text)))
    return row


def solve(features: Matrix, samples: Sequence[Sample]) -> list[Matrix]:
    """Ridge regression of relative errors: one solution without each fold, and one with everything."""
    tokens = np.array([sample.tokens for sample in samples])
    folds = np.array([sample.fold for sample in samples])
    weight = np.where(folds < 0, 0.3, 1.0) / np.maximum(tokens, 10)
    width = features.shape[1]
    grams, targets = {}, {}
    for fold in range(-1, FOLDS):
        chosen = folds == fold
        weighted = features[chosen] * weight[chosen, None].astype(np.float32)
        grams[fold] = (weighted.T @ weighted).astype(np.float64)
        targets[fold] = weighted.T.astype(np.float64) @ (tokens[chosen] * weight[chosen])
    ridge = np.full(width, RIDGE)
    ridge[: words.WIDTH - words.HASHED] = RIDGE / 100
    ridge[words.WIDTH :] = RIDGE / 100
    everything, target = sum(grams.values()), sum(targets.values())
    solutions = []
    for fold in (*range(FOLDS), None):
        gram = everything - grams[fold] if fold is not None else everything
        aim = target - targets[fold] if fold is not None else target
        solutions.append(np.linalg.solve(gram + np.diag(ridge), aim))
    return solutions


def packed(solution: Matrix) -> dict[str, Any]:
    """As `sash.counting.weights` reads it."""
    values = solution[: words.WIDTH].astype("<f2").tobytes()
    return {"values": b64encode(values).decode("ascii"), "extra": [round(float(x), 6) for x in solution[words.WIDTH :]]}


def held_out_texts(rows: Sequence[dict[str, Any]], vocabulary: str) -> Iterator[Sample]:
    """Texts of several lengths, to be predicted by the fold that did not see them; whole ones as recorded."""
    base = Ctok(vocabulary)  # type: ignore[arg-type]
    chance = random.Random(7)
    for number, row in enumerate(rows):
        fold = number % FOLDS
        recorded = row["generation"][vocabulary] - FRAME[vocabulary]
        yield Sample(text=row["text"], tokens=recorded, fold=fold, kind=row["kind"])
        for size in RESIDUAL_SIZES[:-1]:
            for _ in range(2):
                start = chance.randrange(max(1, len(row["text"]) - size))
                part = row["text"][start : start + size]
                yield Sample(text=part, tokens=base.count(part), fold=fold)


def ctok_residuals(rows: Sequence[dict[str, Any]], vocabulary: str) -> tuple[list[Sample], Matrix]:
    """ctok against the recorded counts of every generation that shares the vocabulary."""
    samples, predicted = [], []
    for generation, shared in VOCABULARY.items():
        if shared != vocabulary:
            continue
        base = Ctok(generation)
        for row in rows:
            recorded = row["generation"][generation] - FRAME[generation]
            samples.append(Sample(text=row["text"], tokens=recorded, fold=0))
            predicted.append(base.count(row["text"]))
    return samples, np.array(predicted)


def cells(samples: Sequence[Sample], predicted: Matrix) -> dict[str, Any]:
    """Residuals by class of content, as `sash.counting.bounds` reads them."""
    found: dict[str, list[float]] = {name: [] for name in CLASSES}
    for sample, guess in zip(samples, predicted, strict=True):
        found[content_class(sample.text)].append((sample.tokens - guess) / scale(guess))
    made = {name: Cell.of(residuals) for name, residuals in found.items()}
    return {
        name: {"seen": cell.seen, "largest": [round(value, 5) for value in cell.largest]} for name, cell in made.items()
    }


def summary(samples: Sequence[Sample], predicted: Matrix) -> dict[str, Any]:
    """Median, p90 and p99 of the relative error of whole texts, by kind."""
    report = {}
    for kind in sorted({sample.kind for sample in samples if sample.kind}):
        pairs = [(s.tokens, g) for s, g in zip(samples, predicted, strict=True) if s.kind == kind]
        errors = [abs(guess / tokens - 1) for tokens, guess in pairs]
        median, p90, p99 = (round(float(value), 4) for value in np.percentile(errors, [50, 90, 99]))
        report[kind] = {"n": len(errors), "median": median, "p90": p90, "p99": p99}
    return report


def coverage(samples: Sequence[Sample], predicted: Matrix, wanted: float = 0.995) -> dict[str, Any]:
    """How often the bound holds on each fold, with residuals of the other folds only: whole texts by kind, and all."""
    held: dict[str, list[bool]] = {"all": [], **{sample.kind: [] for sample in samples if sample.kind}}
    for fold in range(FOLDS):
        known = [(s, g) for s, g in zip(samples, predicted, strict=True) if s.fold != fold]
        stored = cells([s for s, _ in known], np.array([g for _, g in known]))
        shares = quantiles({name: Cell(c["seen"], c["largest"]) for name, c in stored.items()}, wanted)
        for sample, guess in zip(samples, predicted, strict=True):
            if sample.fold == fold:
                fits = bool(sample.tokens <= guess + shares[content_class(sample.text)] * scale(guess))
                held["all"].append(fits)
                if sample.kind:
                    held[sample.kind].append(fits)
    return {name: {"n": len(fits), "held": round(sum(fits) / len(fits), 5)} for name, fits in held.items()}


if __name__ == "__main__":
    main()
