"""Which peers there are, and where `make peers` puts the environment of each."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.peers.driving import ROOT, Kind
from sash.errors import InvalidOption

ENVIRONMENTS = ROOT / ".peers"
REQUIREMENTS = Path(__file__).parent / "requirements"

SASH = "sash, memory='balanced'"
"""The row of sash that the times are of."""
PEERS = {
    "langchain": {"LangChain, trim_messages": "Trimmed", "LangChain, SummarizationMiddleware": "Summarising"},
    "openai_agents": {"OpenAI Agents, SQLiteSession": "Limited"},
    "llama_index": {"llama-index, Memory": "Queue", "llama-index, ChatMemoryBuffer": "Buffer"},
    "strands": {"Strands, SlidingWindowConversationManager": "Windowed"},
    "pydantic_ai": {"pydantic-ai, history processor": "Recent", "pydantic-ai, harness's window": "Harness"},
    "llm": {"llm, logs.db": "Whole"},
}
"""Environment, and by row label the class of its module in `adapters`."""
UNTIMED = {"Summarising", "Buffer"}
"""What has no store of its own."""


def kinds(names: Sequence[str] = ()) -> list[Kind]:
    """Those of these environments, by default of all. Raises InvalidOption for a name that is none."""
    for name in names:
        if name not in PEERS:
            raise InvalidOption(f"peer {name!r} is not known; they are {', '.join(PEERS)}", option="peers", value=name)
    return [
        Kind(label=label, python=python(name), module=_module(name), name=kind)
        for name, some in PEERS.items()
        if not names or name in names
        for label, kind in some.items()
    ]


def ours() -> Kind:
    """sash itself, for its times."""
    return Kind(label=SASH, python=Path(sys.executable), module=_module("sash"), name="Balanced")


def timed(kind: Kind) -> bool:
    """Whether its times are taken."""
    return kind.name not in UNTIMED


def python(name: str) -> Path:
    """The interpreter of an environment."""
    return ENVIRONMENTS / name / "bin" / "python"


def _module(name: str) -> str:
    return f"benchmarks.peers.adapters.{name}"
