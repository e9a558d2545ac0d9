"""Rows of a Claude Code transcript, one by one: what each says, and whether it is a message of the conversation.

There are session files (`sessionId`, `uuid`, `parentUuid`), what `claude -p --output-format stream-json` prints
(`session_id`, often without uuids) and the web's export (`{"loglines": [...]}`). All are made into the first form.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sash.formats.reading import Field
from sash.formats.values import Role

BOUNDARIES = ("compact_boundary", "microcompact_boundary")
SYNTHETIC = "<synthetic>"  # the model named on messages that the program itself wrote: no API call stands behind them
LEFT_OUT = {
    "sidechain": "of sub-agents (sidechain)",
    "synthetic": "written by the program itself (synthetic)",
    "meta": "hints of the program (meta)",
}
"""Messages that are no turns of the conversation, in words."""
_TITLES = (("custom-title", "customTitle"), ("ai-title", "aiTitle"), ("summary", "summary"))


def recognises(value: Field) -> bool:
    """Whether a JSON value is such a row, or a list of them."""
    if value.has("loglines"):
        return True
    return value.has("type") and (
        (value.has("sessionId") and value.has("uuid")) or (value.has("session_id") and value.has("message"))
    )


def normal(values: Iterable[Field]) -> Iterator[Field]:
    """All rows, each in the form of a session file; a message without a uuid is named after its place."""
    for value in values:
        for row in value["loglines"].each() if value.has("loglines") else (value,):
            yield _normal(row)


def _normal(row: Field) -> Field:
    given = row.object()
    if not row.has("session_id") and (row.has("uuid") or not speaks(row)):
        return row
    made = {
        "uuid": given.get("uuid") or f"line-{row.line or row.name}",
        "sessionId": given.get("sessionId") or given.get("session_id"),
        "isSidechain": given.get("isSidechain") or row.has("parent_tool_use_id"),
    }
    return Field({**given, **(made if speaks(row) else {})}, row.path, row.line, row.name)


def speaks(row: Field) -> bool:
    """Whether somebody says something in it."""
    return (row.get("type") in ("user", "assistant") and row.has("message")) or typed(row)


def typed(row: Field) -> bool:
    """Whether it holds what was typed while Claude worked, and sent with the next request."""
    return row.get("type") == "attachment" and isinstance(row.get("attachment"), dict) and (
        row["attachment"].get("type") == "queued_command" and row["attachment"].has("prompt")
    )  # fmt: skip


def content(row: Field) -> Field:
    """What is said."""
    return row["attachment"]["prompt"] if typed(row) else row["message"]["content"]


def role(row: Field) -> Role:
    """Who says it."""
    return "assistant" if row.get("type") == "assistant" else "user"


def left_out(row: Field, own: bool) -> str | None:
    """Why a row is no message of this conversation, or None. `own`: whether all of the file is one sub-agent's."""
    if not speaks(row):
        return str(row.get("subtype") or row.get("type"))
    if row.get("isSidechain") and not own:
        return "sidechain"
    if row.get("isMeta"):
        return "meta"
    return "synthetic" if row.has("message") and row["message"].get("model") == SYNTHETIC else None


def answers(row: Field) -> list[str]:
    """Ids of the tool calls that a user row answers."""
    said = content(row)
    blocks = said.each() if isinstance(said.value, list) else iter(())
    return [block["tool_use_id"].text() for block in blocks if block.get("type") == "tool_result"]


def title(rows: Iterable[Field]) -> str | None:
    """The newest title: a person's before the program's, before a summary's."""
    found = {kind: row[key].text() for row in rows for kind, key in _TITLES if row.get("type") == kind and row.has(key)}
    return next((found[kind] for kind, _ in _TITLES if kind in found), None)
