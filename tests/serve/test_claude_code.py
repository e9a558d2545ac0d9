"""Claude Code itself over the gateway: its own transcript against the record, block by block and token by token.

Opt-in: `SASH_CLAUDE_CODE=.../claude pytest -m real tests/serve/test_claude_code.py`
(npm install @anthropic-ai/claude-code).
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sash import SqliteStore
from sash.model.usage import Usage
from sash.simulator import Clock, Simulator

from .running import running

CLAUDE = os.environ.get("SASH_CLAUDE_CODE", "")
pytestmark = [pytest.mark.real, pytest.mark.skipif(not CLAUDE, reason="name Claude Code in SASH_CLAUDE_CODE")]
Said = tuple[str, str, str, str]


def call(number: int, name: str, **inputs: str) -> dict[str, Any]:
    """A call that the simulated Claude makes."""
    return {"type": "tool_use", "id": f"toolu_{number}", "name": name, "input": inputs}


def session(url: str, home: Path, *prompts: str) -> str:
    """Claude Code asked, and asked on; the id of its session."""
    env = {**os.environ, "HOME": str(home), "ANTHROPIC_BASE_URL": url.rstrip("/"), "ANTHROPIC_API_KEY": "none"}
    env |= {"DISABLE_AUTOUPDATER": "1", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "IS_SANDBOX": "1"}
    for at, prompt in enumerate(prompts):
        arguments = [CLAUDE, "-p", prompt, *(["--continue"] if at else []), "--allowedTools", "Bash,Read,Write"]
        done = subprocess.run(
            [*arguments, "--output-format", "json"], cwd=home, env=env, capture_output=True, text=True, check=True
        )
    return str(json.loads(done.stdout)["session_id"])


def essence(role: str, blocks: Any) -> Iterator[Said]:
    """What is said, without what either side may write otherwise: thinking, white space, shapes of results."""
    for block in [{"type": "text", "text": blocks}] if isinstance(blocks, str) else blocks:
        if block["type"] == "text":
            yield role, "text", "", block["text"].strip()
        elif block["type"] == "tool_use":
            yield role, block["id"], block["name"], json.dumps(block["input"], sort_keys=True)
        elif block["type"] == "tool_result":
            content = block["content"]
            parts = [content] if isinstance(content, str) else [part.get("text", "") for part in content]
            yield role, block["tool_use_id"], str(bool(block.get("is_error"))), "".join(parts).strip()


def test_its_transcript_agrees_with_the_record(tmp_path: Path) -> None:
    """The same blocks in the same order, the same replies by their ids, the same tokens; nothing stands on a branch."""
    (tmp_path / "notes.md").write_text("The roof needs 2,400 slates.\n" * 30)
    simulator, store = Simulator(clock=Clock(wall=True)), SqliteStore(tmp_path / "chats.db")
    look, read = call(1, "Bash", command="echo mill; ls"), call(2, "Read", file_path=str(tmp_path / "notes.md"))
    write = call(5, "Write", file_path=str(tmp_path / "out.txt"), content="done\n")
    simulator.script([
        [{"type": "text", "text": "I look first."}, look], [read, call(3, "Bash", command="wc -l notes.md")],
        [call(4, "Bash", command="exit 3")], "All read.", [write], "Written.",
    ])  # fmt: skip
    with running(store, simulator.async_client()) as (url, _):
        id = session(url, tmp_path, "Read the notes, please.", "Write it down, please.", "What did you write?")
    [told] = (tmp_path / ".claude" / "projects").rglob("*.jsonl")
    lines = [line for line in map(json.loads, told.read_text().splitlines()) if line["type"] in ("user", "assistant")]
    theirs = [one for line in lines for one in essence(line["message"]["role"], line["message"]["content"])]
    key = store.branches.open(namespace="", id=id, create=False).conversation
    spoken = [turn for turn in store.turns.read(key) if turn.role != "system"]
    ours = [one for turn in spoken for one in essence(turn.role, turn.recorded)]
    assert [one for one in ours if not one[3].startswith("<system-reminder>")] == theirs
    billed = {line["message"]["id"]: line["message"]["usage"] for line in lines if line["type"] == "assistant"}
    sent = {one.message_id: one.usage for one in store.requests.page(key, limit=100)}
    assert {id: _usage(one) for id, one in billed.items()} == {id: _sums(one) for id, one in sent.items() if one}
    assert len(store.conversations()) == 1
    store.close()


def _usage(told: Any) -> tuple[int, int, int, int]:
    written = told["cache_creation_input_tokens"]
    return told["input_tokens"], told["cache_read_input_tokens"], written, told["output_tokens"]


def _sums(usage: Usage) -> tuple[int, int, int, int]:
    return usage.fresh, usage.read, usage.write, usage.output
