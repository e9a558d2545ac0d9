"""The lab: recordings of any kind brought in, to be replayed and compared.

recordings = lab.read("~/exports")            # files, folders, globs, archives, databases of sash's
traces = recordings.traces(model="claude-sonnet-5-5")
"""

from sash.formats import LeftOut, Question
from sash.lab.reading import Recording, Recordings, read, stream

__all__ = ["LeftOut", "Question", "Recording", "Recordings", "read", "stream"]
