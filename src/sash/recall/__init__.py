"""Which old turns answer this one: a query made of the new turn, rankings merged, the best packed into a share.

Pure: turns come in as values and go out as values. Finding candidates is the store's work, meaning (vectors) an
`Embedder`'s; `sash.flows.history.recall` puts them together. It knows no SQL, no model and no request.
"""

from sash.recall.asking import asks
from sash.recall.query import Query, Term, make_query
from sash.recall.quoting import quoted
from sash.recall.settings import Embedder, Found, Recall

__all__ = ["Embedder", "Found", "Query", "Recall", "Term", "asks", "make_query", "quoted"]
