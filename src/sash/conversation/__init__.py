"""The object people hold: `Conversation`, and `AsyncConversation`, the same with `await`; and what drives them.

`base.py` is what both share, over a `Session` (what a conversation was told); `arguments.py` checks what is given;
`drivers.py` carries flows out, sync and async.
"""

from sash.conversation.asynchronous import AsyncConversation
from sash.conversation.notebook import draw_in_notebooks
from sash.conversation.synchronous import Conversation

__all__ = ["AsyncConversation", "Conversation"]

draw_in_notebooks()
