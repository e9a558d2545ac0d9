"""tau-bench results: a list of runs of a customer-service agent with tools, in OpenAI's shape.

One conversation per run, id `task_id/trial`; the policy is the system prompt. Turns carry no times.
The tools' definitions are not in the file: see `ImportedConversation.tools_called`.
"""

from __future__ import annotations

from collections.abc import Sequence

from sash.formats.messages import openai_turns
from sash.formats.reading import Field, document
from sash.formats.values import ImportedConversation


def recognises(sample: Sequence[Field]) -> bool:
    """Whether it is a list of runs."""
    runs = sample[0].value if len(sample) == 1 else None
    return isinstance(runs, list) and bool(runs) and isinstance(runs[0], dict) and {"traj", "task_id"} <= runs[0].keys()


def parse(text: str, *, path: str = "<text>") -> tuple[ImportedConversation, ...]:
    """One conversation per run. Raises InvalidImport that names path and field."""
    return tuple(_conversation(run) for run in document(text, path).each())


def _conversation(run: Field) -> ImportedConversation:
    history = openai_turns(run["traj"].each())
    return ImportedConversation(
        id=f"{run['task_id'].value}/{run.get('trial', 0)}",
        system=history.system,
        turns=history.turns,
        notes=history.notes,
        meta={"reward": run.get("reward")},
    )
