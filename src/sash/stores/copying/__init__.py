"""A record copied from one database into another, of whatever kind, with its ids; and held against it afterwards."""

from sash.stores.copying.check import check
from sash.stores.copying.transfer import Copied, copy, size

__all__ = ["Copied", "check", "copy", "size"]
