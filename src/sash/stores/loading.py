"""What is dear to load, and loaded when it is first needed."""

from __future__ import annotations

from typing import Any


def load_numpy() -> Any:
    """numpy, when vectors are first needed."""
    return _load_numpy()


def _load_numpy() -> Any:
    import numpy  # noqa: PLC0415, ICN001

    return numpy
