"""The object people hold: `Conversation`, and `AsyncConversation`, the same with `await`; and what drives them.

`base.py` is what both share, over a `Session` (what a conversation was told); `arguments.py` checks what is given;
`drivers.py` and `async_driver.py` carry flows out.
"""

from typing import TYPE_CHECKING, Any

from sash.conversation.notebook import draw_in_notebooks
from sash.conversation.synchronous import Conversation

if TYPE_CHECKING:
    from sash.conversation.asynchronous import AsyncConversation

__all__ = ["AsyncConversation", "Conversation"]

draw_in_notebooks()


def __getattr__(name: str) -> Any:
    """`AsyncConversation`, imported when it is first named: it needs asyncio."""
    if name == "AsyncConversation":
        return _load_asynchronous().AsyncConversation
    raise AttributeError(f"module 'sash.conversation' has no attribute {name!r}")


def __dir__() -> list[str]:
    """What is imported late, too: editors, notebooks and `help` look here."""
    return sorted({*globals(), *__all__})


def _load_asynchronous() -> Any:
    from sash.conversation import asynchronous  # noqa: PLC0415

    return asynchronous
