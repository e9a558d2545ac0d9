"""The record in a database, part by part: one class for each group of tables, all on one `Database`.

Reading a window costs O(view): turns are found by (branch, seq), and a branch shares its parent's turns
up to the fork instead of copying them. Every write checks that nobody else appended first.
"""

from __future__ import annotations

from collections.abc import Sequence

from sash.flows.profile import Profile
from sash.model.closing import Closing
from sash.model.fitting import checked
from sash.model.users import check_user
from sash.stores.attempts import SqliteAttempts
from sash.stores.batches import Batches
from sash.stores.branches import Branches
from sash.stores.cache import Cache
from sash.stores.distilling import Distillings
from sash.stores.forgetting import Forgetting
from sash.stores.health import Health
from sash.stores.index import Index
from sash.stores.jobs import Jobs
from sash.stores.leases import Leases
from sash.stores.memory_files import MemoryFiles
from sash.stores.memos import SqliteMemos
from sash.stores.port import Remark
from sash.stores.profiles import Profiles
from sash.stores.reports import Reports
from sash.stores.requests import Requests
from sash.stores.retention import Retention
from sash.stores.spend import SqliteSpend
from sash.stores.submissions import Submissions
from sash.stores.summaries import Summaries
from sash.stores.tool_results import ToolResults
from sash.stores.transaction import Database
from sash.stores.turns import Turns
from sash.stores.windows import Windows


class DatabaseStore(Closing):
    """A store on an open database.

    One object may serve many conversations and threads. For people: `conversations`, `describe`, `search`, `usage`,
    `cuts`, `delete`, `forget_user`, `retain`, `retained`, `prune`, `close` (see `sash.stores.Store`). What
    conversations need has a part for each group of tables (`sash.flows.record.Record`): `store.turns`,
    `store.requests`, `store.summaries`, ...
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        cache = Cache()
        database.when_undone(cache.forget)
        self.branches = Branches(database, cache)
        self.windows = Windows(database, cache)
        self.turns = Turns(database, cache)
        self.leases = Leases(database, cache, self.windows)
        self.requests = Requests(database, cache, self.leases)
        self.submissions = Submissions(database)
        self.results = ToolResults(database)
        self.index = Index(database, cache)
        self.summaries = Summaries(database, cache)
        self.batches = Batches(database)
        self.forgetting = Forgetting(database, cache)
        self.health = Health(database)
        self.spend = SqliteSpend(database)
        self.attempts = SqliteAttempts(database)
        self.memos = SqliteMemos(database)
        self.memory_files = MemoryFiles(database)
        self.profiles = Profiles(database)
        self.distillings = Distillings(database)
        self.jobs = Jobs(database)
        self.reports = Reports(database)
        self.conversations, self.describe = self.reports.conversations, self.reports.describe
        self.dearest, self.users = self.reports.dearest, self.reports.users
        self.search, self.usage, self.cuts = self.reports.search, self.reports.usage, self.reports.cuts
        self.retention = Retention(database, cache)
        self.retain, self.prune = self.retention.retain, self.retention.prune
        self.retained = self.retention.retained
        self.delete, self.forget_user = self.forgetting.delete, self.forgetting.forget_user

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.path!r})"

    @property
    def path(self) -> str:
        """Where it is: the path or the URL that was given, without a password."""
        return self.database.path

    @checked
    def profile(self, user: str, *, namespace: str = "") -> Profile:
        """What a user said of themselves that holds. Raises InvalidOption for what names no user."""
        check_user(user)
        return Profile(self, user, namespace=namespace)

    def within(self, namespace: str) -> DatabaseStore:  # noqa: ARG002 - in a file, its statements are the wall
        """The store as one tenant sees it: the same, unless the database itself keeps tenants apart."""
        return self

    def remarks(self) -> Sequence[Remark]:
        """How the database stands, where that depends on whoever runs it: of a file there is nothing to say."""
        return ()

    def close(self) -> None:
        """Close it; further calls raise ConversationClosed."""
        self.leases.close()
        self.database.close()
