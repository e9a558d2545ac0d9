"""A conversation replayed under other strategies: what would each have cost? Offline, one replay at a time."""

from __future__ import annotations

import threading

from starlette.requests import Request
from starlette.responses import Response

from sash.conversation.session import DEFAULT_MODEL
from sash.counting.estimator import Estimator
from sash.lab import Average, compare
from sash.model.turns import Turn
from sash.replay import of_record
from sash.serve.asking import Parameters, query_of
from sash.serve.serving import namespace_of, serving_of
from sash.stores.store import DatabaseStore

MOST = 600
"""Turns that are replayed: the newest."""

_one_at_a_time = threading.Lock()


class ReplayQuery(Parameters):
    """What every strategy is held to, and whether to begin."""

    budget: int = 32_000
    keep: int = 8_000
    run: int = 0


def strategies(request: Request) -> Response:
    """The page, with the table where it was asked for."""
    serving, asked, id = serving_of(request), query_of(request, ReplayQuery), request.path_params["id"]
    info = serving.store.describe(id, namespace=namespace_of(request))
    rows = None
    if asked.run:
        rows = _replayed(serving.store, namespace_of(request), id, info.model or DEFAULT_MODEL, asked)
    return serving.page(request, "strategies.html", id=id, info=info, asked=asked, rows=rows, most=MOST)


def _replayed(store: DatabaseStore, namespace: str, id: str, model: str, asked: ReplayQuery) -> tuple[Average, ...]:
    """Nothing where nobody said anything yet."""
    key = store.branches.open(namespace=namespace, id=id, create=False).conversation
    turns = [turn for turn in store.turns.read(key, limit=MOST, newest=True) if turn.state != "withdrawn"]
    first = next((at for at, turn in enumerate(turns) if turn.opens), len(turns))
    if first == len(turns):
        return ()
    estimator = Estimator.for_model(model)

    def size(turn: Turn) -> int:
        return max(1, estimator.message(turn.role, turn.blocks).tokens)

    with _one_at_a_time:
        trace = of_record(turns[first:], size, name=id)
        return compare(trace, models=model, budgets=asked.budget, keep=asked.keep, points=False).averages()
