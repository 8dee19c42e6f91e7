"""The data access layer on SQLite."""
