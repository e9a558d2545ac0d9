"""Results of tool calls between the end of a call and the turn that sends them: what a crash there must not lose."""

from __future__ import annotations

from collections.abc import Mapping

from sash.stores.lineage import present
from sash.stores.transaction import Database


class ToolResults:
    """Results not sent yet. See `sash.flows.record.ToolResults`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep(self, conversation: int, *, turn: int, call: str, block: str, at: float) -> None:
        """Keep the first result of a call."""
        with self._database.writing() as db:
            present(db, conversation)
            db.execute(
                "INSERT INTO tool_results VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (turn, call, conversation, block, at),
            )

    def read(self, turn: int) -> Mapping[str, str]:
        """What was kept for the calls of a reply."""
        with self._database.reading() as db:
            found = db.execute("SELECT call_id, block FROM tool_results WHERE turn_id = ?", (turn,))
            return {row["call_id"]: row["block"] for row in found}
