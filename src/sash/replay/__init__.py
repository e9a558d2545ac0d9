"""Replaying strategies over traces, offline: what would each have cost, and what is the least possible?

    (trace,) = sash.lab.read("trace.jsonl").traces()
    terms = Terms(card=card("claude-sonnet-5-5"), keep=8_000, budget=32_000)
    print(run(trace, Economic(), terms).dollars, optimum(trace, terms.card, keep=8_000, budget=32_000))

`sash.lab.compare` runs many over many.
Asks no API and needs no key: bills follow the cache's rules on sizes and times alone.
"""

from sash.replay.clairvoyant import Promise, mixed_optimum, optimum, promise
from sash.replay.clearing import REFETCH, Optima, optima
from sash.replay.engine import NO_MARKS, Point, ReplayOutcome, Terms, run
from sash.replay.online import least_expected
from sash.replay.readers import of_conversation, of_record
from sash.replay.traces import (
    Memoryless,
    Trace,
    TraceCall,
    TraceResult,
    from_times,
    load,
    loads,
    many,
    regimes,
    synthetic,
)

__all__ = [
    "NO_MARKS",
    "REFETCH",
    "Memoryless",
    "Optima",
    "Point",
    "Promise",
    "ReplayOutcome",
    "Terms",
    "Trace",
    "TraceCall",
    "TraceResult",
    "from_times",
    "least_expected",
    "load",
    "loads",
    "many",
    "mixed_optimum",
    "of_conversation",
    "of_record",
    "optima",
    "optimum",
    "promise",
    "regimes",
    "run",
    "synthetic",
]
