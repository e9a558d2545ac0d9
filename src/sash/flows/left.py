"""Jobs that conversations leave to workers: what such a job says. `taken.py` says how a worker does it."""

from __future__ import annotations

from sash.model.jobs import LeftJob
from sash.planning.strategies.summarised import Summarised
from sash.planning.summaries.cost import SummaryRequest, limit_of


def summary_job(wish: SummaryRequest, own: Summarised, *, budget: int, counter: str) -> LeftJob:
    """A summary up to a turn, with all that says how it is made."""
    terms = {
        "upto": wish.upto,
        "tokens": limit_of(own.tokens, budget),
        "must_keep": own.must_keep,
        "counter": counter,
    }
    return LeftJob(kind="summaries", maker=own.by, terms=terms)


def profile_job(by: str, *, least: int) -> LeftJob:
    """What the conversation's user said is to be read, where more than `least` characters wait."""
    return LeftJob(kind="profiles", maker=by, terms={"least": least})


def embedding_job(embedder: str) -> LeftJob:
    """Turns are to get their vectors."""
    return LeftJob(kind="embeddings", maker=embedder)
