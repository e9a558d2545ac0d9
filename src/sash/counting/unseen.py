"""Tokens that requests hold and their content does not show: an allowance on top of the bound, per conversation.

Applications inject reminders, services add prompts of their own: no tokenizer sees them. `allowance` follows each
request online: one that passed its bound widens it at once, each that did not narrows it a little. That is quantile
tracking on a logarithmic scale (Angelopoulos, Candes, Tibshirani 2023, "Conformal PID control for time series
prediction"), the scale-free form of adaptive conformal inference (Gibbs, Candes 2021, "Adaptive conformal inference
under distribution shift"). It assumes nothing of when and why something is added: of T requests that hold at most B
tokens unseen, at most `most_passed` pass their bound, whatever their order. Values in, values out.
"""

from __future__ import annotations

from math import log2

RATE = 0.005
"""The share of requests that may pass their bound in the long run."""
FIRST = 0.03
"""The first allowance, as a share of the request that showed that something is added."""
AT_ONCE = 0.06
"""The most by which one request widens it beyond doubling, as a share of that request: one may be an exception."""
_CALM: float = 2.0 ** (-RATE / (1.0 - RATE))
"""What is left of the allowance after a request that kept its bound: half after 199 of them."""


def allowance(before: float, *, real: int, bound: float, seen: float = 0.0) -> float:
    """The tokens to allow for after a request of `real` tokens, whose `bound` did not hold the allowance `before`.

    0 before the first. `seen`: what other conversations were found to hold unseen; it counts once this one does, too.
    """
    over = real - bound
    if over <= before:
        return before * _CALM
    return max(2.0 * before, FIRST * real, min(max(over, seen), AT_ONCE * real))


def most_passed(requests: int, *, hidden: int, smallest: int) -> float:
    """How many of so many requests can pass their bound, each of `smallest` tokens or more, at most `hidden` unseen.

    The first, one for each doubling up to what is hidden, and what calm gave back: a miss adds 1 to the logarithm, a
    request without one takes RATE / (1 - RATE) from it, and no miss happens above log2(hidden).
    """
    doublings = 2.0 + log2(hidden / (FIRST * smallest)) if hidden else 0.0
    return max(1.0, doublings + RATE * requests)
