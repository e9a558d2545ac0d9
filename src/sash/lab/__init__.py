"""The lab: recordings of any kind brought in, replayed and compared: what does each strategy cost, what does it forget?

recordings = lab.read("~/exports")            # files, folders, globs, archives, databases of sash's
found = lab.compare(recordings, [Economic(), SlidingWindow(), "balanced"], budgets=[8_000, 32_000])
found                                         # shows itself in a notebook
found.best(evidence=0.9), found.to_pandas(), found.plot()
"""

from sash.formats import LeftOut, Question
from sash.lab.averages import Average, Estimate
from sash.lab.comparing import compare
from sash.lab.comparison import Comparison
from sash.lab.contenders import Contender
from sash.lab.intervals import Interval, interval
from sash.lab.reading import Recording, Recordings, read, stream
from sash.lab.rows import ComparisonRow, LeastCosts
from sash.lab.sources import synthetic
from sash.replay import regimes

__all__ = [
    "Average",
    "Comparison",
    "ComparisonRow",
    "Contender",
    "Estimate",
    "Interval",
    "LeastCosts",
    "LeftOut",
    "Question",
    "Recording",
    "Recordings",
    "compare",
    "interval",
    "read",
    "regimes",
    "stream",
    "synthetic",
]
