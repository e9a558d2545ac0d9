"""Rate-limit headers read: limits, what remains, how long to wait. Missing or nonsense says nothing.

"Rate limits" docs: `anthropic-ratelimit-{requests,input-tokens,output-tokens}-{limit,remaining}`, `retry-after` in
seconds (it stands on good replies, too, and means something on 429 alone). Pure.
"""

from __future__ import annotations

from collections.abc import Mapping

from sash.limits.limiter.buckets import Told

LONGEST_WAIT = 60.0
"""Seconds beyond which a `retry-after` is not believed: a minute fills every bucket."""
UNSAID_WAIT = 1.0
"""Seconds to wait after a refusal that names none."""
_NAMES = ("requests", "input-tokens", "output-tokens")


def told(headers: Mapping[str, str], status: int) -> Told:
    """What the headers of a response say."""
    limits = tuple(_number(headers.get(f"anthropic-ratelimit-{name}-limit"), least=1) for name in _NAMES)
    left = tuple(_number(headers.get(f"anthropic-ratelimit-{name}-remaining"), least=0) for name in _NAMES)
    wait = min(retry_after(headers) or UNSAID_WAIT, LONGEST_WAIT) if status == 429 else 0.0
    return Told(limits=limits, remaining=left, wait=wait)  # type: ignore[arg-type]


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds that a server asks to wait; None where it says nothing, or nonsense."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        seconds = _number(headers.get(name), least=0)
        if seconds:
            return seconds * unit
    return None


def _number(text: str | None, *, least: float) -> float | None:
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        return None
    return value if least <= value < 1e12 else None  # neither below, nor infinite, nor NaN
