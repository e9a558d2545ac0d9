"""Conversations, plans, requests, comparisons as self-contained HTML: for notebooks (`_repr_html_`) and for files.

The templates and the stylesheet are those of `sash serve`; pictures are inside. No script, nothing to load.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from sys import maxsize
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from sash.flows.history.branch import PastRequest
from sash.formats import ImportedConversation, pages
from sash.inspect.chart import chart
from sash.inspect.rendering import pretty, stylesheet, templates
from sash.inspect.strip import strip
from sash.inspect.transcript import shown_turns
from sash.inspect.window import WindowPart, marker_lines, past_parts, planned_parts, window_parts
from sash.model.blocks import Block
from sash.model.epochs import Sent
from sash.model.turns import Turn
from sash.planning.plan import Plan
from sash.stores.port import Store

IN_NOTEBOOK, IN_FILE = 8, 200
"""Newest turns shown."""
CLIPPED = 2_000
"""Characters of a text that a notebook shows."""
REQUESTS = 60
"""Newest requests on the chart."""
BODY = 20_000
"""Characters of a request's body that a notebook shows."""


def conversation_html(chat: Any) -> str:
    """The window, the requests and the newest turns of a `Conversation`, as one piece of HTML."""
    return render(chat._store, chat._chat().conversation, chat.id, chat.model, budget=chat.budget)


def render(store: Store, conversation: int, name: str, model: str, *, budget: int = 0) -> str:
    """The same from a store: `conversation` is its key there. `budget`: how wide the strip is; 0: as wide as it is."""
    shown = _values(store, conversation, model, budget, turns=IN_NOTEBOOK, most=CLIPPED)
    return _templates().get_template("piece.html").render(name_of=name, model=model, **shown)


def page(store: Store, conversation: int, name: str, model: str, *, carried: ImportedConversation | None = None) -> str:
    """A page of its own, with more of the transcript; with all of it where it is to carry the conversation as well."""
    turns = IN_FILE if carried is None else maxsize
    shown = _values(store, conversation, model, 0, turns=turns, most=100_000)
    own = {"mark": "", "carried": ""}
    if carried is not None:
        own = {"mark": Markup(pages.MARK), "carried": Markup(pages.element(carried))}
    return _templates().get_template("file.html").render(name_of=name, model=model, **shown, **own)


def plan_html(plan: Plan) -> str:
    """What the next request would hold, and why."""
    parts, told = planned_parts(plan), plan.explain().splitlines()
    shown = _request(parts, plan.situation.budget, plan.sent, plan.shared_body)
    return _templates().get_template("plan.html").render(plan=plan, told=told, **shown)


def request_html(past: PastRequest) -> str:
    """What a request held, and what it was to cost and did."""
    shown = _request(past_parts(past), int(past.request.why.get("budget") or 0), past.request.sent, past.body)
    return _templates().get_template("request_piece.html").render(past=past, **shown)


def _request(parts: list[WindowPart], budget: int, sent: Sent, body: Mapping[str, Any]) -> dict[str, Any]:
    """What is shown of a request, planned or past; of its body as much as a notebook takes."""
    text = pretty(body)
    return {
        "style": Markup(stylesheet()),
        "strip": strip(parts, budget),
        "parts": parts,
        "markers": marker_lines(sent.markers),
        "body": text[:BODY],
        "left": max(0, len(text) - BODY),
    }


@cache
def _templates() -> Environment:
    return templates()


def _values(store: Store, conversation: int, model: str, budget: int, *, turns: int, most: int) -> dict[str, Any]:
    loaded = store.windows.read(conversation, model=model, preamble=None)
    last, epoch = loaded.last, loaded.head.epoch
    cached = last.sent.last if last and last.usage.read + last.usage.write else None
    sent = sorted({turn.id: turn for turn in (*loaded.pinned_turns, *loaded.turns)}.values(), key=lambda turn: turn.seq)
    parts = window_parts(epoch, sent, loaded.counts, loaded.preamble_count, cached)
    requests = store.requests.page(conversation, limit=REQUESTS)
    found = store.turns.read(conversation, limit=turns, newest=True)
    pinned = frozenset(epoch.pinned_seqs) if epoch else frozenset[int]()
    return {
        "style": Markup(stylesheet()),
        "head": loaded.head,
        "strip": strip(parts, budget),
        "chart": chart(requests) if requests else None,
        "turns": shown_turns(found, _inside, first=epoch.first_seq if epoch else 1, pinned=pinned, most=most),
    }


def _inside(turn: Turn, at: int, block: Block) -> str:
    """A picture as an address that holds it."""
    del turn, at
    source = block["source"]
    return f"data:{source['media_type']};base64,{source.get('data', '')}"
