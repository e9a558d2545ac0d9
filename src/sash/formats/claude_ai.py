"""Claude.ai's data export (`conversations.json`, or its .zip), and one conversation as its web pages load it.

Messages name their parents (`parent_message_uuid`): the conversation is the branch of the newest leaf, or of the one
that the file names; `branches="all"` gives each. A reply that holds tool calls and their results is split into the
messages that the API would take. The text of an attachment is kept as a document; files, which the export does not
hold, are notes. Thinking without a signature cannot be sent: left out, and counted. No schema is published.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from sash.formats.legality import HistoryProblem
from sash.formats.messages import with_legal_calls
from sash.formats.reading import Field, members_of
from sash.formats.trees import TreeBranch, check_branches, left_out_of, those_that_speak, tree_branches
from sash.formats.values import Block, ImportedConversation, ImportedTurn, Role, text_block
from sash.model.blocks import dumps

_ROLES: dict[str, Role] = {"human": "user", "user": "user", "assistant": "assistant"}
_SILENT = ("token_budget", "flag")
"""Kinds of blocks that say nothing."""


def recognises(sample: Sequence[Field]) -> bool:
    """Whether every value is such a conversation."""
    found = members_of(sample)
    return bool(found) and all(isinstance(one.get("chat_messages"), list) for one in found)


def conversations(
    value: Field, number: int, *, branches: str = "last"
) -> Iterator[ImportedConversation | HistoryProblem]:
    """The branches of one conversation, or a remark that it is empty. Raises InvalidImport, InvalidOption."""
    check_branches(branches)
    id, title = str(value.get("uuid", number)), value.get("name")
    messages = list(value["chat_messages"].each())
    shown = value.get("current_leaf_message_uuid")
    branched = tree_branches(id, _nodes(messages), shown or _newest(messages), branches)
    yield from those_that_speak((_conversation(branch, title, value) for branch in branched), id, title)


def _nodes(messages: Sequence[Field]) -> dict[str, tuple[str | None, Field]]:
    """Every message by its uuid. Older exports name no parents: there each follows the one before."""
    linked = any(message.has("parent_message_uuid") for message in messages)
    before: str | None = None
    nodes: dict[str, tuple[str | None, Field]] = {}
    for number, message in enumerate(messages):
        name = str(message.get("uuid", number))
        nodes[name] = (message.get("parent_message_uuid") if linked else before), message
        before = name
    return nodes


def _newest(messages: Sequence[Field]) -> str | None:
    times = [(_at(message) or 0.0, place) for place, message in enumerate(messages)]
    return str(messages[max(times)[1]].get("uuid", max(times)[1])) if times else None


def _at(message: Field) -> float | None:
    return message["created_at"].time() if message.has("created_at") else None


def _conversation(branch: TreeBranch[Field], title: object, value: Field) -> ImportedConversation:
    counts = Counter[str]()
    turns = [turn for message in branch.messages for turn in _turns(message, counts)]
    project = value.get("project") or {}
    return ImportedConversation(
        id=branch.id,
        title=str(title) if title else None,
        turns=with_legal_calls(turns),
        notes=(*branch.notes, *left_out_of(counts)),
        meta={"project": project["name"]} if project.get("name") else {},
    )


def _turns(message: Field, counts: Counter[str]) -> Iterator[ImportedTurn]:
    """The API's messages behind one: results of calls inside a reply are turns of the user."""
    role = _ROLES.get(message["sender"].text())
    if role is None:
        raise message["sender"].fail(f"unknown sender {message.get('sender')!r}; expected human or assistant")
    at, id = _at(message), message.get("uuid")
    runs: list[tuple[Role, list[Block]]] = []
    for block in _answered([*_attached(message, counts), *_blocks(message, counts)], counts):
        whose: Role = "user" if block["type"] == "tool_result" else role
        if not runs or runs[-1][0] != whose:
            runs.append((whose, []))
        runs[-1][1].append(block)
    for number, (whose, blocks) in enumerate(runs):
        name = id if number == 0 else f"{id}/{number}"
        yield ImportedTurn(role=whose, content=blocks, at=at, id=name)


def _answered(blocks: Sequence[Block], counts: Counter[str]) -> Iterator[Block]:
    """The blocks; calls without a result, as the export keeps artifacts, as text: no request could hold such a call."""
    answered = {block["tool_use_id"] for block in blocks if block["type"] == "tool_result"}
    for block in blocks:
        if block["type"] == "tool_use" and block["id"] not in answered:
            counts["results of calls (the calls are kept as text)"] += 1
            yield text_block(f"[{block['name']}: {dumps(block['input'])}]")
        else:
            yield block


def _attached(message: Field, counts: Counter[str]) -> Iterator[Block]:
    for file in message["attachments"].each() if message.has("attachments") else ():
        name, text = file.get("file_name") or "without a name", file.get("extracted_content")
        if isinstance(text, str) and text:
            source = {"type": "text", "media_type": "text/plain", "data": text}
            yield {"type": "document", "source": source, "title": name}
        else:
            yield _elsewhere(name, counts)
    for file in message["files"].each() if message.has("files") else ():
        yield _elsewhere(file.get("file_name") or "without a name", counts)


def _elsewhere(name: str, counts: Counter[str]) -> Block:
    counts["files (the export does not hold them)"] += 1
    return text_block(f"[the file {name!r}, kept elsewhere, left out]")


def _blocks(message: Field, counts: Counter[str]) -> Iterator[Block]:
    parts = list(message["content"].each()) if message.has("content") else []
    if not parts and message.get("text"):
        yield text_block(message["text"].text())
    unanswered: list[str] = []
    for number, part in enumerate(parts):
        kind = part["type"].text()
        if kind == "text" and str(part.get("text", "")).strip():
            yield text_block(part["text"].text())
        elif kind == "tool_use":
            unanswered.append(str(part.get("id") or f"{message.get('uuid')}-{number}"))
            yield {"type": "tool_use", "id": unanswered[-1], "name": part["name"].text(), "input": _input(part)}
        elif kind == "tool_result":
            yield from _result(part, unanswered)
        elif kind == "thinking" and part.get("signature"):
            yield {"type": "thinking", "thinking": part.get("thinking", ""), "signature": part.get("signature")}
        elif kind == "thinking":
            counts["blocks of thinking"] += 1
        elif kind != "text" and kind not in _SILENT:
            counts[f"blocks of the kind {kind}"] += 1


def _input(part: Field) -> Block:
    given = part.get("input", {})
    return given if isinstance(given, dict) else {"unparsed": given}


def _result(part: Field, unanswered: list[str]) -> Iterator[Block]:
    """The result of a call; where it does not name one, of the oldest that has none."""
    named = part.get("tool_use_id")
    if named is None and not unanswered:
        return
    id = str(named) if named is not None else unanswered[0]
    if id in unanswered:
        unanswered.remove(id)
    texts = part.get("content", [])
    said = [one.get("text") for one in texts if isinstance(one, dict)] if isinstance(texts, list) else [texts]
    content = [text_block(text) for text in said if isinstance(text, str) and text]
    failed = {"is_error": True} if part.get("is_error") else {}
    yield {"type": "tool_result", "tool_use_id": id, **({"content": content} if content else {}), **failed}
