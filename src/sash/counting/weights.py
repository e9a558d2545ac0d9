"""The fitted coefficients and residual quantiles that ship with the package, as `weights.json` holds them.

Made by `python -m benchmarks.fit_counting --truth FILE`, which also writes the command and the held-out
errors into the file. Coefficients are 16-bit floats in base64: 8 KB for each vocabulary and base.
"""

from __future__ import annotations

import json
import struct
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from sash.model.cards import Generation

VOCABULARY: dict[Generation, str] = {"v3": "v3", "v4.7": "v4.7", "v5": "v4.7"}
"""4.8 and later split text as 4.7 does, under a shorter message frame."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """Tokens per unit of each feature of `sash.counting.words`, and of a foreign vocabulary's count."""

    values: tuple[float, ...]
    extra: tuple[float, ...]


@cache
def fitted() -> Mapping[str, Any]:
    """The whole file."""
    loaded: Mapping[str, Any] = json.loads(Path(__file__).with_name("weights.json").read_text("utf-8"))
    return loaded


@cache
def weights(generation: Generation, base: str) -> Weights:
    """The coefficients of one base ("features" or "tiktoken") for one generation."""
    entry = fitted()["weights"][VOCABULARY[generation]][base]
    raw = b64decode(entry["values"])
    return Weights(values=struct.unpack(f"<{len(raw) // 2}e", raw), extra=tuple(entry["extra"]))
