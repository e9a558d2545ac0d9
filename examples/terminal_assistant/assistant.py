"""An assistant in the terminal: reads a folder's files with tools, takes files you name, remembers you.

python examples/terminal_assistant/assistant.py [FOLDER]
"""

from __future__ import annotations

import getpass
import os
import sys
from pathlib import Path
from typing import Any

from anthropic import Anthropic

import sash
from sash import Conversation, SashError, simulator

SYSTEM = "You help with the files of a folder. Use list_files and read_file before you say what is in them."


class Assistant:
    """A conversation about a folder, with the tools that it takes."""

    def __init__(self, folder: Path, database: str, user: str, client: Any) -> None:
        self.folder = folder.resolve()
        self.store = sash.open(database)
        self.chat = Conversation(
            self.store,
            id=f"{user} in {self.folder.name}",
            user=user,
            client=client,
            system=SYSTEM,
            memory="full",
            max_result=2_000,  # of longer files the ends are sent, and Claude reads on where it wants to
        )
        notes = sash.memory_tool(self.store, user=user)  # what Claude writes down about you, in any folder
        self.tools = [self.list_files, self.read_file, self.chat.recall_tool(), notes]

    def list_files(self) -> list[str]:
        """Name the files of the folder."""
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file())

    def read_file(self, name: str) -> str:
        """Read a text file of the folder.

        Args:
            name: as list_files names it
        """
        path = (self.folder / name).resolve()
        if not path.is_relative_to(self.folder):
            raise PermissionError(f"{name} is outside the folder")  # Claude is told, and may try another
        return path.read_text(errors="replace")

    def answer(self, line: str) -> None:
        """Say a line; words that begin with @ are files that go along: "What is this? @photo.png"."""
        words = line.split()
        files = [Path(word[1:]) for word in words if word.startswith("@")]
        text = " ".join(word for word in words if not word.startswith("@"))
        reply = self.chat.run([*files, text] if files else text, tools=self.tools, on_event=show)
        print(f"\n  ({reply.usage.prompt:,} tokens, ${reply.cost or 0:.4f})")

    def close(self) -> None:
        self.chat.close()
        self.store.close()


def show(event: Any) -> None:
    """Print what comes: words as they are written, and each tool as it has been used."""
    if event.type == "text":
        print(event.text, end="", flush=True)
    elif event.type == "tool_result":
        failed = " failed" if event.result.get("is_error") else ""
        print(f"\n  [{event.call['name']} {event.call['input']}{failed}]", flush=True)


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    client = Anthropic() if "ANTHROPIC_API_KEY" in os.environ else simulator.client()
    assistant = Assistant(folder, "assistant.db", os.environ.get("USER") or getpass.getuser(), client)
    print(f"{assistant.chat.model}, about {assistant.folder}. An empty line leaves.")
    try:
        while line := input("you> ").strip():
            try:
                assistant.answer(line)
            except SashError as error:  # nothing is lost: what was said is recorded, or was refused before it was
                print(f"  {error}")
    except (EOFError, KeyboardInterrupt):
        print()
    assistant.close()


if __name__ == "__main__":
    main()
