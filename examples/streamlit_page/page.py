"""A page to chat on, with what the next request would hold and what it all costs at its side.

streamlit run examples/streamlit_page/page.py
"""

from __future__ import annotations

import os
from typing import Any

import streamlit as st
from anthropic import Anthropic

from sash import Conversation, simulator
from sash.types import MemoryMode

DATABASE = os.environ.get("SASH_DATABASE", "chats.db")
MODES: tuple[MemoryMode, ...] = ("lean", "balanced", "full", "all", "none")


@st.cache_resource
def claude() -> Any:
    """One client for all sessions of the page."""
    return Anthropic() if "ANTHROPIC_API_KEY" in os.environ else simulator.client()


def opened(name: str, memory: MemoryMode, budget: int) -> Conversation:
    """The conversation of that name. The page runs from top to bottom each time, and opening one is cheap."""
    return Conversation(DATABASE, id=name, client=claude(), memory=memory, budget=budget)


st.title("A chatbot with a memory")
with st.sidebar:
    name = st.text_input("Conversation", "me")
    memory = st.selectbox("Memory", MODES, index=1)
    budget = st.slider("Budget (tokens of a request)", 2_000, 64_000, 8_000, step=1_000)

with opened(name, memory, budget) as chat:
    for turn in chat.history(limit=100):
        st.chat_message(turn.role if turn.role in ("user", "assistant") else "user").markdown(turn.text)
    if said := st.chat_input("Say something"):
        st.chat_message("user").markdown(said)
        with st.chat_message("assistant"), chat.stream(said) as stream:
            st.write_stream(iter(stream))
    with st.sidebar:
        used = chat.usage()
        st.metric("Spent", f"${used.dollars:.4f}", f"{used.cached_share:.0%} of the prompts cached", delta_color="off")
        st.subheader("What the next request would hold")
        st.write(chat.plan("Go on.").explain())
