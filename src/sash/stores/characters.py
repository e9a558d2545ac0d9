"""Asking the index of characters: runs of scripts without spaces, of any length.

The index holds strings of three characters; a longer run is a phrase of them, a shorter one is asked for as all
strings that begin with it (the index ends each text with two line ends, so its last characters begin one too).
"""

from __future__ import annotations

import sqlite3

GRAM = 3
CONTINUATIONS = 200
"""Strings that may continue one or two characters; what has more is too common to tell anything."""


def characters_match(db: sqlite3.Connection, run: str) -> str:
    """What finds `run` in the index; "" where nothing holds it, or nearly everything."""
    if len(run) >= GRAM:
        return f'"{run}"'
    found = db.execute(
        "SELECT term FROM turns_characters_terms WHERE term >= ? AND term < ? LIMIT ?",
        (run, run + "\U0010ffff", CONTINUATIONS + 1),
    ).fetchall()
    if len(found) > CONTINUATIONS:
        return ""
    return " OR ".join('"' + row[0].replace('"', '""') + '"' for row in found)
