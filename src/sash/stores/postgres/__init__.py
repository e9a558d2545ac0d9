"""The record in PostgreSQL: the same parts and statements as in SQLite, on another database and in another dialect."""
