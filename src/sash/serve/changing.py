"""What pages and API change of a conversation, apart from talking."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sash.errors import NotFound
from sash.stores.port import ConversationInfo
from sash.stores.store import DatabaseStore

BRANCHES = 10_000


def described(
    store: DatabaseStore,
    namespace: str,
    id: str,
    *,
    title: str | None = None,
    tags: Sequence[str] | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> ConversationInfo:
    """Give a conversation title, tags and metadata; None leaves each as it is. Raises NotFound."""
    if tags is not None:
        known = metadata if metadata is not None else store.describe(id, namespace=namespace).metadata
        metadata = {**known, "tags": list(dict.fromkeys(tag.strip() for tag in tags if tag.strip()))}
    return store.describe(id, namespace=namespace, title=title, metadata=metadata)


def switched(store: DatabaseStore, conversation: int, branch: int) -> None:
    """Go on with a branch of the conversation. Raises NotFound for one that is none of it."""
    if branch not in {one.id for one in store.branches.read(conversation, limit=BRANCHES)}:
        raise NotFound(f"no branch {branch} in this conversation", kind="branch", key=branch)
    store.branches.switch(conversation, branch=branch)
