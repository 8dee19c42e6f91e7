"""The migrations of the tables, one Alembic revision for each change."""
