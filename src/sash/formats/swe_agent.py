"""SWE-agent trajectories (`.traj` / `.traj.json`): one coding run with big observations.

`history` is what the model saw: with function calling it becomes tool_use and tool_result blocks, without
it plain user and assistant turns. Turns carry no times. The step list (`trajectory`) is not read.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from sash.formats.messages import openai_turns
from sash.formats.reading import Field, document
from sash.formats.values import ImportedConversation


def recognises(sample: Sequence[Field]) -> bool:
    """Whether it is one trajectory."""
    return len(sample) == 1 and sample[0].has("trajectory") and sample[0].has("history")


def parse(text: str, *, path: str = "<text>") -> tuple[ImportedConversation, ...]:
    """The one conversation of a trajectory. Raises InvalidImport that names path and field."""
    run = document(text, path)
    history = openai_turns(run["history"].each())
    return (
        ImportedConversation(
            id=PurePath(path).name.removesuffix(".json").removesuffix(".traj"),
            system=history.system,
            turns=history.turns,
            notes=history.notes,
            meta={"exit_status": run["info"].get("exit_status")} if run.has("info") else {},
        ),
    )
