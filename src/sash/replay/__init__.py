"""Replaying strategies over traces, offline: what would each have cost, and what is the least possible?

    traces = sash.lab.read("trace.jsonl").traces()
    terms = Terms(card=card("claude-sonnet-5-5"), keep=8_000, budget=32_000)
    result = compare(traces, [Economic(), SteppedWindow()], [terms])
    print(result.to_json())

Asks no API and needs no key: bills follow the cache's rules on sizes and times alone.
"""

from sash.replay.clairvoyant import Promise, mixed_optimum, optimum, promise
from sash.replay.clearing import REFETCH, Optima, optima
from sash.replay.engine import NO_MARKS, Point, ReplayOutcome, Terms, run
from sash.replay.online import least_expected
from sash.replay.readers import of_conversation, of_record
from sash.replay.report import Average, Comparison, Contender, TraceRow, compare, html, png
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
    "Average",
    "Comparison",
    "Contender",
    "Memoryless",
    "Optima",
    "Point",
    "Promise",
    "ReplayOutcome",
    "Terms",
    "Trace",
    "TraceCall",
    "TraceResult",
    "TraceRow",
    "compare",
    "from_times",
    "html",
    "least_expected",
    "load",
    "loads",
    "many",
    "mixed_optimum",
    "of_conversation",
    "of_record",
    "optima",
    "optimum",
    "png",
    "promise",
    "regimes",
    "run",
    "synthetic",
]
