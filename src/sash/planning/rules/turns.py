"""Rules about messages: roles, the first and the last one, empty content, instructions between turns.

Source: the Messages API reference, "Mid-conversation system messages", "Errors", "Handling stop reasons",
and "Migrating to API version 2026-10-21". Tool pairs are judged in `tools`, thinking in `thinking`.
"""

from __future__ import annotations

from collections.abc import Iterator

from sash.planning.rules.body import Body, Finding, MergedTurn, Message, Spot, about, items
from sash.planning.rules.caching import blank
from sash.planning.rules.thinking import thinks

ROLES = ("user", "assistant", "system")
MAX_MESSAGES = 100_000
DATED = "2026-10-21"
"""The API version that refuses documents in assistant turns, citations in user text, and sampling parameters."""

ASSISTANT_ONLY = frozenset({"tool_use", "thinking", "redacted_thinking", "server_tool_use", "mcp_tool_use"})
USER_ONLY = frozenset({"tool_result", "image"})
SYSTEM_KINDS = frozenset({"text", "tool_addition", "tool_removal"})
MESSAGE_FIELDS = frozenset({"role", "content"})


def malformed(body: Body) -> Iterator[Finding]:
    """What has no legal shape at all."""
    yield from body.malformed


def no_messages(body: Body) -> Iterator[Finding]:
    """At least one message; at most 100,000."""
    sent = body.before.messages + len(items(body.params.get("messages")))
    if not sent:
        yield "messages", "messages is empty; send at least one user message"
    if sent > MAX_MESSAGES:
        yield "messages", f"{sent} messages; at most {MAX_MESSAGES} are allowed: trim the history"


def unknown_role(body: Body) -> Iterator[Finding]:
    """user, assistant, or system."""
    for message in body.messages:
        if message.role not in ROLES:
            yield f"{message.path}.role", f"role {message.role!r}; it is one of {', '.join(ROLES)}"


def message_fields(body: Body) -> Iterator[Finding]:
    """A message has a role and content; a whole reply (id, usage, ...) is not one, and betas may add fields."""
    for message in body.messages if not body.betas else ():
        if not message.fields.keys() <= MESSAGE_FIELDS:
            extra = sorted(map(str, message.fields.keys() - MESSAGE_FIELDS))
            yield message.path, f"a message has role and content only; leave out {', '.join(extra)}"


def first_message(body: Body) -> Iterator[Finding]:
    """The user speaks first; only a compaction block may open the list in an assistant message.

    Cloud platforms refuse an assistant-first list; the first-party API has been seen to take it, against
    its documentation.
    """
    if not body.messages or body.before.messages or body.continues_thread:
        return
    first = body.messages[0]
    opened = bool(first.spots) and first.spots[0].kind == "compaction"
    if first.role == "assistant" and not opened:
        yield first.path, "the first message is the assistant's; begin with a user message"


def empty_message(body: Body) -> Iterator[Finding]:
    """Content that says nothing: no block at all, or text that is only whitespace."""
    for message in body.messages:
        # In beta a system message may carry `output_config` alone.
        if message.role == "system" and message.fields.get("output_config"):
            continue
        if not any(map(_says_something, message.spots)):
            yield f"{message.path}.content", "the message says nothing; give it text or leave it out"


def _says_something(spot: Spot) -> bool:
    if spot.kind != "text":
        return True
    text = spot.block.get("text")
    return isinstance(text, str) and bool(text.strip())


def empty_text(body: Body) -> Iterator[Finding]:
    """Text blocks are non-empty, inside tool results and in `system` too."""
    for spot in (*body.system, *body.blocks):
        if blank(spot.block):
            yield spot.path, "an empty text block; drop it"
        elif spot.kind == "text" and not isinstance(spot.block["text"], str):
            yield spot.path, f"text is a string, not {spot.block['text']!r:.40}"


@about(*ASSISTANT_ONLY, *USER_ONLY)
def block_role(body: Body) -> Iterator[Finding]:
    """Calls and thinking are the assistant's, tool results and images the user's."""
    for message in body.messages:
        for spot in message.spots:
            if spot.kind in ASSISTANT_ONLY and message.role == "user":
                yield spot.path, f"a {spot.kind} block in a user message; it belongs to an assistant message"
            if spot.kind in USER_ONLY and message.role == "assistant":
                yield spot.path, f"a {spot.kind} block in an assistant message; send it in a user message"


@about("document")
def document_in_assistant(body: Body) -> Iterator[Finding]:
    """Since 2026-10-21 a document may not stand directly in assistant content (inside a tool's result it may)."""
    for message in body.messages if body.since(DATED) else ():
        for spot in message.spots:
            if message.role == "assistant" and spot.kind == "document":
                yield spot.path, "a document block directly in an assistant message; quote it as text, or drop it"


def citations_in_user_text(body: Body) -> Iterator[Finding]:
    """Since 2026-10-21 text from the user, inside search results too, may not carry citations."""
    for spot in body.cited if body.since(DATED) else ():
        if spot.role == "user" and spot.kind == "text":
            yield spot.path, "citations on a user's text block; drop the citations and keep the text"


def system_turn_model(body: Body) -> Iterator[Finding]:
    """Only some models take instructions between turns."""
    for message in body.messages:
        if message.role == "system" and not body.card.system_turns:
            yield message.path, f"{body.card.id} takes no role 'system' in messages; send it as tagged user text"


def system_turn_place(body: Body) -> Iterator[Finding]:
    """After a user turn or a server tool's result; last, or followed by the assistant; never first."""
    if not any(message.role == "system" for message in body.messages):
        return
    for index, run in enumerate(body.runs):
        if run.role != "system":
            continue
        before = body.runs[index - 1] if index else None
        after = body.runs[index + 1] if index + 1 < len(body.runs) else None
        if before is None and not body.continues_thread:
            yield run.path, "a system message comes first; use the system parameter, or put it after a user message"
        elif before is not None and not _admits_system(before):
            yield run.path, "a system message after an assistant turn; put it after the next user turn"
        if after is not None and after.role != "assistant":
            yield run.path, "a system message before a user turn; put it after that turn"


def _admits_system(run: MergedTurn) -> bool:
    return run.role == "user" or (bool(run.spots) and is_server_result(run.spots[-1].kind))


def is_server_result(kind: str) -> bool:
    """Whether a block type is the result of a tool that the server ran (`web_search_tool_result`, ...)."""
    return kind.endswith("_tool_result")


def system_turn_content(body: Body) -> Iterator[Finding]:
    """A system message is text (in beta also tool additions and removals); so is the system parameter."""
    turns = (spot for message in body.messages if message.role == "system" for spot in message.spots)
    for spot in turns:
        if spot.kind not in SYSTEM_KINDS and not body.betas:
            yield spot.path, f"a {spot.kind} block in a system message; it takes text only"
    for spot in body.system:
        if spot.kind != "text" and not body.betas:
            yield spot.path, f"a {spot.kind} block in system; it takes text only"


def prefill(body: Body) -> Iterator[Finding]:
    """A conversation ends in a user turn, unless the model takes a prefill, or a paused server tool goes on."""
    last = body.messages[-1] if body.messages else None
    if last is None or last.role != "assistant" or _paused(body) or body.option("compaction"):
        return
    if not body.card.prefill:
        yield (
            last.path,
            f"{body.card.id} takes no prefill: the last message is the assistant's; end with a user message",
        )
    elif thinks(body):
        yield last.path, "a prefill while thinking is on; turn thinking off or end with a user message"
    else:
        yield from _trailing_whitespace(last)


def _paused(body: Body) -> bool:
    """A turn cut by `pause_turn` is sent again as it is: it ends in a call of a server's tool, or its result."""
    kinds = [spot.kind for spot in body.runs[-1].spots]
    return bool(kinds) and (kinds[-1] in ("server_tool_use", "mcp_tool_use") or is_server_result(kinds[-1]))


def _trailing_whitespace(last: Message) -> Iterator[Finding]:
    text = last.spots[-1].block.get("text") if last.spots else None
    if isinstance(text, str) and text != text.rstrip():
        yield last.spots[-1].path, "a prefill may not end in whitespace; strip it"


RULES = {
    "malformed": malformed,
    "message-count": no_messages,
    "role": unknown_role,
    "message-fields": message_fields,
    "first-message": first_message,
    "empty-message": empty_message,
    "empty-text": empty_text,
    "block-role": block_role,
    "document-in-assistant": document_in_assistant,
    "citations-in-user-text": citations_in_user_text,
    "system-turn-model": system_turn_model,
    "system-turn-place": system_turn_place,
    "system-turn-content": system_turn_content,
    "prefill": prefill,
}
