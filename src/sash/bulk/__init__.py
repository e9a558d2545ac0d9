"""Many independent questions: priced first, then asked by workers under the limits, or as a batch at half price.

    job = Bulk(["Is this spam? ...", ...], store="labels.db", id="spam-june", model="claude-haiku-5-5", system=RULES)
    print(job.quote())              # what it will cost, either way
    for outcome in job.run(progress=True):      # job.run(batch=True): no answer is needed at once
        print(outcome.text)

Every item is a conversation in the store, so each reply is recorded as any other, and a job that was broken off goes
on where it was: what has its reply is not asked again.
"""

from sash.bulk.items import Item, JobProgress, Outcome
from sash.bulk.job import Bulk
from sash.bulk.quote import Quote

__all__ = ["Bulk", "Item", "JobProgress", "Outcome", "Quote"]
