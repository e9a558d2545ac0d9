"""ChatGPT's data export (`conversations.json`, or its .zip): trees of messages that name parent and children.

The branch that `current_node` ends is the conversation; `branches="all"` gives each edit and regenerated answer as one
of its own. Code that ChatGPT ran and what came of it are text of its replies; a picture is a note with its name, as the
export keeps it in another file. Custom instructions become the system prompt; hidden messages and reasoning are left
out, and counted in one remark. OpenAI publishes no schema: what is read is what exports of 2023 to 2026 hold.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from sash.formats.legality import HistoryProblem
from sash.formats.reading import Field, members_of
from sash.formats.trees import TreeBranch, check_branches, left_out_of, those_that_speak, tree_branches
from sash.formats.values import Block, ImportedConversation, ImportedTurn, Role, text_block

_REASONING = ("thoughts", "reasoning_recap")
_SOUND = ("audio_asset_pointer", "real_time_user_audio_video_asset_pointer")
_SETTINGS = ("user_editable_context", "model_editable_context")
_ROLES: dict[str, Role] = {"user": "user", "assistant": "assistant", "tool": "assistant"}
"""What a tool says is part of ChatGPT's reply: nobody asks anything in it."""


def recognises(sample: Sequence[Field]) -> bool:
    """Whether every value is such a tree."""
    found = members_of(sample)
    return bool(found) and all(isinstance(one.get("mapping"), dict) for one in found)


def conversations(
    value: Field, number: int, *, branches: str = "last"
) -> Iterator[ImportedConversation | HistoryProblem]:
    """The branches of one conversation, or a remark that it is empty. Raises InvalidImport, InvalidOption."""
    check_branches(branches)
    id = str(value.get("conversation_id") or value.get("id") or number)
    title = value.get("title")
    tree = value["mapping"]
    nodes = {name: _node(tree[name]) for name in tree.object()}
    branched = tree_branches(id, nodes, value.get("current_node"), branches)
    yield from those_that_speak((_conversation(branch, title, value) for branch in branched), id, title)


def _node(node: Field) -> tuple[str | None, Field | None]:
    return node.get("parent"), node["message"] if node.has("message") else None


def _conversation(branch: TreeBranch[Field | None], title: Any, value: Field) -> ImportedConversation:
    counts = Counter[str]()
    messages = [message for message in branch.messages if message is not None]
    turns = tuple(turn for message in messages if (turn := _turn(message, counts)))
    project = value.get("gizmo_id") or value.get("conversation_template_id")
    return ImportedConversation(
        id=branch.id,
        title=str(title) if title else None,
        system="\n\n".join(filter(None, map(_instructions, messages))) or None,
        turns=turns,
        notes=(*branch.notes, *left_out_of(counts)),
        meta={"project": project} if project else {},
    )


def _instructions(message: Field) -> str:
    """The user's custom instructions, wherever the export keeps them."""
    facts, content = message.get("metadata", {}), message.get("content", {})
    told = facts.get("user_context_message_data") or {}
    if content.get("content_type") in _SETTINGS and not told:
        told = {key: content.get(key) for key in ("user_profile", "user_instructions")}
    return "\n\n".join(text for text in told.values() if isinstance(text, str) and text.strip())


def _turn(message: Field, counts: Counter[str]) -> ImportedTurn | None:
    content = message["content"]
    author, facts = message["author"], message.get("metadata", {})
    role, kind = author["role"].text(), content.get("content_type")
    if kind in _REASONING:
        counts["messages of reasoning"] += 1
    hidden = role == "system" or facts.get("is_visually_hidden_from_conversation") or kind in _SETTINGS
    blocks = [] if kind in _REASONING else list(_blocks(content, counts if not hidden else Counter()))
    if hidden:
        counts["hidden messages"] += bool(blocks) and not _instructions(message)
        return None
    blocks += _attached(facts, counts)
    if not blocks or role not in _ROLES:
        return None
    return ImportedTurn(
        role=_ROLES[role],
        content=blocks,
        at=message["create_time"].time() if message.has("create_time") else None,
        id=message.get("id"),
        speaker=author.get("name") or ("tool" if role == "tool" else None),
        model=facts.get("model_slug") if role == "assistant" else None,
    )


def _attached(facts: dict[str, Any], counts: Counter[str]) -> Iterator[Block]:
    """Notes on files that were attached; pictures stand among the parts."""
    for file in facts.get("attachments") or ():
        if not str(file.get("mime_type", "")).startswith("image/"):
            counts["files (the export keeps them apart)"] += 1
            yield text_block(f"[the file {file.get('name', 'without a name')!r}, kept elsewhere, left out]")


def _blocks(content: Field, counts: Counter[str]) -> Iterator[Block]:
    for text in _texts(content, counts):
        if text.strip():
            yield text_block(text)


def _texts(content: Field, counts: Counter[str]) -> Iterator[str]:
    """What a message says, part by part. A kind that is not known gives whatever text it holds."""
    if content.has("parts"):
        for part in content["parts"].each():
            yield part.value if isinstance(part.value, str) else _part(part, counts)
    elif content.get("content_type") == "code":
        language = content.get("language")
        yield f"```{language if language != 'unknown' else ''}\n{content.get('text', '')}\n```"
    else:
        told = [content.get(key) for key in ("title", "url", "text", "result", "summary")]
        yield "\n".join(text for text in told if isinstance(text, str) and text)


def _part(part: Field, counts: Counter[str]) -> str:
    kind = str(part.get("content_type", "something"))
    if kind == "image_asset_pointer":
        counts["pictures (kept in other files)"] += 1
        return _picture(part)
    if kind in _SOUND:
        counts["recordings of sound (what was said is kept)"] += 1
        return ""
    if not isinstance(part.get("text"), str):  # what was said aloud has a text, too
        counts[f"parts of the kind {kind}"] += 1
        return f"[{kind}, left out]"
    return part["text"].text()


def _picture(part: Field) -> str:
    made = (part.get("metadata") or {}).get("dalle") or {}
    drawn = f", made for {made['prompt']!r}" if made.get("prompt") else ""
    return f"[picture {part.get('asset_pointer', 'without a name')}{drawn}, left out]"
