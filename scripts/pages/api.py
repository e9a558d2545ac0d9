"""The reference: a page for each door of the library, with every public name and its docstring (by mkdocstrings)."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

from pages.docstrings import as_markdown

DOORS = {
    "sash": "the library's door: what most programs import",
    "sash.errors": "every error, sorted by whose move is next",
    "sash.types": "the types of arguments and options, for editors and type checkers",
    "sash.stores": "where the record lives",
    "sash.recall": "which older turns answer a question",
    "sash.profile": "what is known of a user",
    "sash.summaries": "what a summary must keep, and whether it does",
    "sash.planning.situation": "what a strategy sees and answers: for strategies of your own",
    "sash.planning.plan": "the decision for one request, with its reasons",
    "sash.planning.economics": "what a cut, a mark and a carried token cost",
    "sash.planning.rules": "the rules of the Messages API",
    "sash.planning.rules.body": "a request body as rules read it: for rules of your own",
    "sash.planning.routing": "which model is asked, and who stands in for it",
    "sash.model.cards": "what is known of each model",
    "sash.model.batches": "batches of requests, as the record has them",
    "sash.limits": "the settings of limits, ceilings, breaker, memo, meter and retries",
    "sash.claude.middleware": "the same guards as middleware, for any client of the SDK",
    "sash.claude.keys": "several keys for one conversation",
    "sash.claude.batch": "batches of a client",
    "sash.bulk": "many independent questions",
    "sash.bulk.summaries": "summaries of many conversations at half the price",
    "sash.worker": "processes that do what conversations leave to them",
    "sash.formats": "conversations from elsewhere",
    "sash.formats.reading": "a file's values with their places: for formats of your own",
    "sash.conversation.imports": "recording them",
    "sash.lab": "recordings of any kind, to be replayed and compared",
    "sash.replay": "what would each strategy have cost",
    "sash.simulator": "a Claude of our own",
    "sash.simulator.testing": "the same with assertions, as the pytest plugin has it",
    "sash.serve.settings": "what `sash serve` is told (extra `serve`)",
    "sash.serve.app": "the record in a browser, the API and the gateway as a Starlette application",
    "sash.serve.server": "the same on a socket",
    "sash.inspect": "the record as HTML",
}
"""Modules that users import from, and what each is for. Further ones are inside, and may change."""

APART = ("Conversation", "AsyncConversation")
"""Classes of the first door that have pages of their own."""


def names(door: str) -> list[str]:
    """The public names of a module: `__all__`, else what is defined there without an underscore."""
    module = importlib.import_module(door)
    defined = [name for name, value in vars(module).items() if _own(value, door, name)]
    listed = getattr(module, "__all__", defined)
    return [name for name in listed if not inspect.ismodule(getattr(module, name))]


def _own(value: Any, door: str, name: str) -> bool:
    return not name.startswith("_") and getattr(value, "__module__", None) == door and callable(value)


def pages() -> dict[str, str]:
    """The page of each door, of the two conversations, and the list of all."""
    made = {_address(door): _page(door) for door in DOORS}
    made |= {_address(f"sash.{name}"): _entry("sash", name, level=1) for name in APART}
    return made | {"reference/index.md": _index()}


def listed() -> list[dict[str, str]]:
    """Their entries in the navigation."""
    apart = [{name: _address(f"sash.{name}")} for name in APART]
    return apart + [{door: _address(door)} for door in DOORS]


def _address(name: str) -> str:
    return f"reference/{name}.md"


def _page(door: str) -> str:
    shown = [name for name in names(door) if door != "sash" or name not in APART]
    doc = as_markdown(inspect.getdoc(importlib.import_module(door)) or "")
    return f"# {door}\n\n{doc}\n\n" + "\n".join(_entry(door, name) for name in shown)


def _entry(door: str, name: str, *, level: int = 2) -> str:
    return f"::: {door}.{name}\n    options: {{heading_level: {level}}}\n"


def _index() -> str:
    rows = [f"| [{door}]({door}.md) | {purpose} | {len(names(door))} |" for door, purpose in DOORS.items()]
    apart = ", ".join(f"[`{name}`](sash.{name}.md)" for name in APART)
    return "\n".join(
        [
            "# Reference",
            "",
            f"Begin at {apart}. Names on these pages are public: they keep their meaning within a major version.",
            "",
            "| module | for | names |",
            "|---|---|---|",
            *rows,
            "",
            "Also: the [command line](cli.md), the record's [tables and views](schema.md), the [models](models.md).",
            "",
        ]
    )
