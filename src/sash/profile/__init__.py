"""What a user said of themselves that holds beyond one conversation: standing facts, preferences, instructions.

`rules.py` finds such statements in what the user says, by rules (`forms.py`); `topics.py` tells which later one
takes the place of an earlier one. It knows no store, no model.
"""

from sash.profile.entries import Entry, Kind, Learned
from sash.profile.rules import learned

__all__ = ["Entry", "Kind", "Learned", "learned"]
