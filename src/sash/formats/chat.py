"""What readers of other frameworks share: their messages told in OpenAI's shape, with facts beside them.

A reader makes a `ChatMessage` of each of its own (role, content, calls; time, model, usage), and `conversation_of`
makes turns of them as it does of OpenAI's. `usage_of` tells usage by the API's names. It knows no format.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sash.formats.legality import HistoryProblem
from sash.formats.messages import openai_turns
from sash.formats.reading import Field
from sash.formats.values import Block, ImportedConversation


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatMessage:
    """A message of chat completions, and what its source says of it."""

    role: str
    content: Any = None
    """text, or a list of parts"""
    calls: Sequence[Mapping[str, Any]] = ()
    """each {id, name, arguments}"""
    answers: str = ""
    """the id of the call that it answers"""
    failed: bool = False
    """whether that call failed"""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """`at`, `id`, `usage`, `model`, `speaker`, `meta` of its turn, as far as they are known"""

    def wire(self) -> dict[str, Any]:
        """In OpenAI's shape."""
        made: dict[str, Any] = {"role": self.role, "content": self.content}
        if self.calls:
            made["tool_calls"] = [
                {"id": call["id"], "function": {"name": call["name"], "arguments": call["arguments"]}}
                for call in self.calls
            ]
        if self.answers:
            made |= {"tool_call_id": self.answers, "is_error": self.failed}
        return made


def conversation_of(
    messages: Iterable[ChatMessage],
    *,
    id: str,
    path: str,
    title: str | None = None,
    tools: Sequence[Block] = (),
    system: str | None = None,
    notes: Sequence[HistoryProblem] = (),
    meta: Mapping[str, Any] | None = None,
) -> ImportedConversation:
    """The conversation that the messages are; leading system messages become its system prompt."""
    said = {f"[{place}]": message for place, message in enumerate(messages)}
    fields = [Field(message.wire(), path, name=place) for place, message in said.items()]
    history = openai_turns(fields, lambda message: said[message.name].facts)
    return ImportedConversation(
        id=id,
        title=title,
        system="\n\n".join(filter(None, (system, history.system))) or None,
        tools=tuple(tools),
        turns=history.turns,
        notes=(*notes, *history.notes),
        meta=meta or {},
    )


def known(**facts: Any) -> dict[str, Any]:
    """The facts that are known."""
    return {name: value for name, value in facts.items() if value is not None and value != ""}


def usage_of(prompt: Any, output: Any, *, read: Any = 0, write: Any = 0, write_1h: Any = 0) -> dict[str, Any] | None:
    """Usage by the API's names; `prompt` is the whole of it, what was read from the cache and written to it included.

    None where nothing is told.
    """
    if not (prompt or output):
        return None
    fresh = max(0, (prompt or 0) - (read or 0) - (write or 0))
    split = {"ephemeral_5m_input_tokens": (write or 0) - (write_1h or 0), "ephemeral_1h_input_tokens": write_1h or 0}
    return {
        "input_tokens": fresh,
        "cache_read_input_tokens": read or 0,
        "cache_creation_input_tokens": write or 0,
        **({"cache_creation": split} if write_1h else {}),
        "output_tokens": output or 0,
    }
