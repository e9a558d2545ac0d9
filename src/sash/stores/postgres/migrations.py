"""What brings an older schema up to date, by the names of SQLite's migrations (`sash.stores.migrations`).

A new schema holds all of them (`schema.sql`, `search.sql`): whoever appends a migration there runs `scripts/schema.py`,
which writes it into `schema.sql`, and says here, with statements of PostgreSQL, what a schema made before lacks.
"""

STEPS: dict[str, tuple[str, ...]] = {}
"""The statements of each migration since the first version that kept records in PostgreSQL (m031)."""
