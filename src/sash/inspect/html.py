"""A conversation as one self-contained piece of HTML: the window as a strip, then the newest turns.

For notebooks (`_repr_html_`) and for files (`sash show --html`). All text is escaped. Needs only what
conversation objects of either kind offer: their flows' values.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from sash.model.counts import Count
from sash.model.epochs import Epoch
from sash.model.turns import Attachment, Turn
from sash.model.values import counted
from sash.model.window import Loaded
from sash.stores.port import Store

SHOWN = 8
"""Newest turns shown with their text."""
CLIPPED = 400
"""Characters of a turn shown."""

_STYLE = (
    "<style>.sash{font:14px/1.4 system-ui,sans-serif;max-width:60rem}.sash .bar{display:flex;height:26px}"
    ".sash .bar div{border-right:1px solid #fff;min-width:1px}.sash table{border-collapse:collapse;width:100%}"
    ".sash td{padding:2px 8px;vertical-align:top;border-top:1px solid #ddd;text-align:left;white-space:pre-wrap}"
    ".sash .dim{color:#777}.sash .out{background:#e0e0e0}.sash .preamble{background:#8d6e63}"
    ".sash .user{background:#64b5f6}.sash .assistant{background:#a5d6a7}.sash .pinned{background:#ffb74d}"
    ".sash .summary{background:#b39ddb}.sash .recalled{background:#f48fb1}"
    ".sash .cached{box-shadow:inset 0 -6px 0 #37474f}</style>"
)


def conversation_html(chat: Any) -> str:
    """The window strip, a line of facts, and the newest turns of a `Conversation`."""
    return render(chat._store, chat._chat().conversation, chat.id, chat.model)


def render(store: Store, conversation: int, name: str, model: str) -> str:
    """The same from a store: `conversation` is its key there."""
    loaded = store.windows.read(conversation, model=model, preamble=None)
    parts = (_STYLE, _headline(loaded, name, model), _bar(loaded), _legend(), _table(loaded.turns, loaded.head.epoch))
    return f"<div class='sash'>{''.join(parts)}</div>"


def _headline(loaded: Loaded, name: str, model: str) -> str:
    epoch = loaded.head.epoch
    out = (
        f"; the turns before turn {epoch.first_seq} are kept, but no longer sent"
        if epoch and epoch.first_seq > 1
        else ""
    )
    why = f"<br><span class='dim'>why the window starts there: {escape(epoch.reason)}</span>" if epoch else ""
    return (
        f"<b>{escape(name)}</b> <span class='dim'>{escape(model)}, {counted(loaded.head.seq, 'turn')}, "
        f"{counted(loaded.head.requests, 'request')}{out}</span>{why}"
    )


def _bar(loaded: Loaded) -> str:
    cached = loaded.last.sent.last if loaded.last and loaded.last.usage.read + loaded.last.usage.write else 0
    cells = []
    if loaded.preamble_count is not None:
        cells.append(_cell("preamble", "preamble", loaded.preamble_count, cached > 0))
    cells += _summary(loaded.head.epoch, cached > 0)
    named = [("pinned", "pinned turn", turn) for turn in loaded.pinned_turns]
    named += [(turn.role, f"{turn.role}'s turn", turn) for turn in loaded.turns]
    for kind, name, turn in named:
        cells += _recalled(turn, loaded.head.epoch, turn.seq <= cached)
        cells.append(_cell(kind, f"{name} {turn.seq}", loaded.counts.get(turn.id), turn.seq <= cached))
    return f"<div class='bar'>{''.join(cells)}</div>"


def _summary(epoch: Epoch | None, cached: bool) -> list[str]:
    """The summary in front, if one stands there; by its length, for its size is known with its turns' only."""
    if epoch is None or epoch.summary is None:
        return []
    text = epoch.summary.text
    title = f"summary of the turns up to {epoch.summary.upto}: {len(text):,} characters"
    kind = f"summary{' cached' if cached else ''}"
    return [f"<div class='{kind}' title='{escape(title)}' style='flex:{max(1, len(text) // 4)}'></div>"]


def _recalled(turn: Turn, epoch: Epoch | None, cached: bool) -> list[str]:
    """What recall sends in front of a turn, where this view shows it."""
    if turn.attachment is None or epoch is None or not epoch.shows(turn):
        return []
    title = f"recalled for turn {turn.seq}: {_told(turn.attachment)}"
    kind = f"recalled{' cached' if cached else ''}"
    return [f"<div class='{kind}' title='{escape(title)}' style='flex:{max(1, turn.attachment.tokens)}'></div>"]


def _told(attached: Attachment) -> str:
    """Its size, and where it comes from."""
    seqs = ", ".join(f"{source.seq}" for source in attached.sources)
    return f"{attached.tokens:,} tokens (estimate) of turn{'s' if len(attached.sources) > 1 else ''} {seqs}"


def _cell(kind: str, name: str, count: Count | None, cached: bool) -> str:
    tokens = count.tokens if count else 0
    source = f"{tokens:,} tokens ({count.source})" if count else "not counted yet"
    title = f"{name}: {source}{', cached by the last request' if cached else ''}"
    return (
        f"<div class='{kind}{' cached' if cached else ''}' title='{escape(title)}' style='flex:{max(tokens, 1)}'></div>"
    )


def _legend() -> str:
    names = ("preamble", "summary", "pinned", "recalled", "user", "assistant")
    chips = "".join(f"<span class='{name}'>&nbsp;&nbsp;&nbsp;</span> {name} &nbsp; " for name in names)
    return f"<div class='dim'>{chips}<span class='cached'>&nbsp;&nbsp;&nbsp;</span> cached by the last request</div>"


def _table(turns: Sequence[Turn], epoch: Epoch | None) -> str:
    rows = "".join(
        f"<tr><td class='dim'>{turn.seq}</td><td>{turn.role}{_state(turn)}</td>"
        f"<td>{_with(turn, epoch)}{escape(_clip(turn.text))}</td></tr>"
        for turn in turns[-SHOWN:]
    )
    return f"<table>{rows}</table>"


def _with(turn: Turn, epoch: Epoch | None) -> str:
    """A line on what was recalled for a turn; whether it is still sent."""
    if turn.attachment is None:
        return ""
    gone = "" if epoch is not None and epoch.shows(turn) else ", no longer sent"
    return f"<span class='dim'>recalled: {escape(_told(turn.attachment))}{gone}</span><br>"


def _state(turn: Turn) -> str:
    return "" if turn.state == "answered" else f"<br><span class='dim'>{turn.state}</span>"


def _clip(text: str) -> str:
    return text if len(text) <= CLIPPED else text[:CLIPPED] + " ..."
