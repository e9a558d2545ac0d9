"""The window strategies: frozen values with one method, `decide(situation)`. Any object of that shape will do."""

from sash.planning.strategies.cleared import ClearedTools
from sash.planning.strategies.economic import Economic
from sash.planning.strategies.everything import Everything
from sash.planning.strategies.server import ServerCompaction
from sash.planning.strategies.sliding import SlidingWindow
from sash.planning.strategies.stepped import SteppedWindow
from sash.planning.strategies.summarised import Summarised

__all__ = ["ClearedTools", "Economic", "Everything", "ServerCompaction", "SlidingWindow", "SteppedWindow", "Summarised"]
