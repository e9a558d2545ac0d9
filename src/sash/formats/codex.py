"""Codex's session files (`~/.codex/sessions/**/rollout-*.jsonl`): items of the Responses API, and events beside them.

Each line has a time, a type and a payload; the first ones, of 2025, are bare items behind a line that names the
session. Items become turns; `token_count` events give the usage of the reply before them, `turn_context` its model,
`session_meta` project and instructions. What a compaction put in the place of older items follows it as a user turn.
Source: the Rust types of Codex (`codex-rs/protocol`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from sash.formats.chat import known, usage_of
from sash.formats.openai import turns_of_items
from sash.formats.reading import Field, lines
from sash.formats.values import ImportedConversation, with_notes

_TYPES = ("session_meta", "response_item", "turn_context", "event_msg", "compacted")
_OLD = ("id", "timestamp")
_BARE = ("message", "reasoning", "function_call", "function_call_output", "local_shell_call")


def recognises(sample: Sequence[Field]) -> bool:
    """Whether the values are lines of a rollout."""
    if not sample:
        return False
    first = sample[0]
    if first.get("type") in _TYPES and isinstance(first.get("payload"), dict):
        return True
    old = all(first.has(key) for key in _OLD) and not first.has("type") and not first.has("role")
    return old and (first.has("git") or "instructions" in first.object()) and _has_items(sample[1:])


def _has_items(rows: Sequence[Field]) -> bool:
    return any(row.has("record_type") or row.get("type") in _BARE for row in rows)


def parse(text: str, *, path: str = "<text>") -> tuple[ImportedConversation, ...]:
    """The session of a rollout. Raises InvalidImport that names path, line and field."""
    found = lines(text, path)
    session = _Session(path)
    for row in found:
        session.take(row)
    if not session.items:
        raise Field(None, path).fail("the session holds no message")
    return with_notes([session.conversation()], found.damaged)


@dataclass
class _Session:
    """What has been read of a rollout."""

    path: str
    meta: Mapping[str, Any] = field(default_factory=dict)
    items: list[Field] = field(default_factory=list)
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Item's name -> what its turn is told"""
    model: str | None = None
    reply: str = ""
    """the newest item of a reply whose usage is not told yet"""
    total: Mapping[str, int] = field(default_factory=dict)
    """the newest sum of tokens"""
    copied: bool = False
    """whether the line is a sub-agent's copy of what its parent said: the parent's session tells what that used"""
    cut: bool = False
    """whether a compaction lies before the next item"""

    def take(self, row: Field) -> None:
        """Take in one line."""
        kind = row.get("type")
        self.copied = row.get("ordinal", 0) < self.meta.get("subagent_history_start_ordinal", 0)
        if kind not in _TYPES:
            self._bare(row)
        elif kind == "session_meta":
            self.meta = self.meta or row["payload"].object()
        elif kind == "turn_context":
            self.model = row["payload"].get("model") or self.model
        elif kind == "event_msg":
            self._event(row["payload"])
        elif kind == "compacted":
            self._compacted(row)
        else:
            self._item(row["payload"].object(), row)

    def _bare(self, row: Field) -> None:
        """A line of the older form: the session, an item, or a state of the program, which says nothing."""
        if row.get("type") in _BARE or row.has("role"):
            self._item(row.object(), row)
        elif all(row.has(key) for key in _OLD):
            self.meta = self.meta or row.object()

    def _item(self, item: Mapping[str, Any], row: Field) -> None:
        name = f"line {row.line or len(self.items) + 1}"
        replies = item.get("role") == "assistant" or str(item.get("type")).endswith("_call")
        meta = {"compaction": {"trigger": None, "tokens_before": None, "partial": False}} if self.cut else None
        self.items.append(Field(item, self.path, row.line, name))
        at = row["timestamp"].time() if row.has("timestamp") else None
        self.facts[name] = known(at=at, model=self.model if replies else None, meta=meta)
        self.reply = name if replies else self.reply
        self.cut = False

    def _event(self, event: Field) -> None:
        """A count of tokens is that of the reply before it; a count that is told again is of no new one."""
        if event.get("type") != "token_count" or not event.has("info"):
            return
        added = self._added(event["info"].get("total_token_usage") or {})
        told = event["info"].get("last_token_usage") or added
        if not self.reply or self.copied:
            return
        usage = usage_of(told.get("input_tokens"), told.get("output_tokens"), read=told.get("cached_input_tokens"))
        self.facts[self.reply] |= known(usage=usage)
        self.reply = ""

    def _added(self, total: Mapping[str, int]) -> Mapping[str, int]:
        """What a sum over the session is more than the one before it: older rollouts tell sums alone."""
        before, self.total = self.total, total
        return {name: (count or 0) - (before.get(name) or 0) for name, count in total.items()}

    def _compacted(self, row: Field) -> None:
        self.cut = True
        if row["payload"].get("message"):
            content = [{"type": "input_text", "text": row["payload"]["message"].text()}]
            self._item({"type": "message", "role": "user", "content": content}, row)

    def conversation(self) -> ImportedConversation:
        """The session, whole."""
        history = turns_of_items(self.items, lambda item: self.facts[item.name])
        base = self.meta.get("base_instructions") or self.meta.get("instructions")
        told = base.get("text") if isinstance(base, dict) else base
        return ImportedConversation(
            id=str(self.meta.get("id") or self.meta.get("session_id") or PurePath(self.path).stem),
            system="\n\n".join(filter(None, (told, history.system))) or None,
            turns=history.turns,
            notes=history.notes,
            meta=known(project=self.meta.get("cwd"), version=self.meta.get("cli_version")),
        )
