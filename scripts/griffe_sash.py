"""What griffe cannot read off the source: tables in docstrings, and signatures that `as_told` takes over."""

from __future__ import annotations

import re
from typing import Any

import griffe

from pages.docstrings import as_markdown

TOLD = re.compile(r"as_told\((\w+)\.(\w+)\)")


class AsShown(griffe.Extension):
    """Docstrings in Markdown; a function decorated with `as_told(Class.method)` has that method's parameters."""

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        """Go through the package once it is read whole."""
        self._visit(pkg)

    def _visit(self, obj: griffe.Object | griffe.Alias) -> None:
        if obj.is_alias:
            return
        if obj.docstring:
            obj.docstring.value = as_markdown(obj.docstring.value)
        for decorator in obj.decorators if obj.is_function else ():
            if told := TOLD.fullmatch(str(decorator.value)):
                target = obj.modules_collection[f"{obj.module.resolve(told[1])}.{told[2]}"]
                obj.parameters = target.parameters
        for member in obj.members.values():
            self._visit(member)
