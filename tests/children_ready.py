"""Imported by the server that forks children, before the first: loads what a first send loads."""

from children import client_of
from sash import Conversation
from sash.simulator import Simulator

client_of("http://127.0.0.1").close()

with Simulator().client() as client, Conversation(id="a", model="claude-sonnet-5-5", client=client) as chat:
    chat.send("Hello.")
