"""The window strategies: frozen values with one method, `decide(situation)`. Any object of that shape will do."""

from sash.planning.strategies.cleared import ClearedTools
from sash.planning.strategies.economic import Economic
from sash.planning.strategies.server import ServerCompaction
from sash.planning.strategies.summarised import Summarised
from sash.planning.strategies.windows import Everything, SlidingWindow, SteppedWindow

__all__ = ["ClearedTools", "Economic", "Everything", "ServerCompaction", "SlidingWindow", "SteppedWindow", "Summarised"]
