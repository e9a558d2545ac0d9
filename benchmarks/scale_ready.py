"""Imported by the server that forks the processes of `benchmarks.scale`, before the first of them."""

from benchmarks.scale_client import MODEL, client
from sash import Conversation

with client() as claude, Conversation(id="a", model=MODEL, client=claude) as chat:
    chat.send("Hello.")
