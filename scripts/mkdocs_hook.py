"""Pages that are made from the project itself while mkdocs builds the site: `pages.made()` has them all, by address."""

from __future__ import annotations

from typing import Any

from mkdocs.structure.files import File, Files

from pages import made, sections


def on_config(config: Any) -> None:
    """List what is made in the sections of the navigation that wait for it."""
    made_for = sections()
    for section in config.nav:
        for name in section.keys() & made_for.keys():
            section[name].extend(made_for[name])


def on_files(files: Files, *, config: Any) -> None:
    """Add what is made to what is written."""
    for address, text in made().items():
        files.append(File.generated(config, address, content=text))
