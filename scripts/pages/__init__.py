"""What the documentation says of the project is read off the project: names, commands, tables, models, results.

Each module makes some pages: `pages()` is their text by address. `sections()` says where the navigation lists them.
"""

from __future__ import annotations

from pages import api, commands, documents, examples, models, results, schema

Entry = dict[str, str]


def made() -> dict[str, str]:
    """Every made page: its address below docs/, its Markdown."""
    return {
        address: text
        for part in (api, commands, schema, models, results, examples, documents)
        for address, text in part.pages().items()
    }


def sections() -> dict[str, list[Entry]]:
    """What to list under the sections of the navigation, in order."""
    return {
        "Reference": [*api.listed(), *commands.listed(), *schema.listed(), *models.listed()],
        "Benchmarks": results.listed(),
        "Examples": examples.listed(),
    }
