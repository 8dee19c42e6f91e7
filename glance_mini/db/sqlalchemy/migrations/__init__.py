"""The steps by which the tables came to be what they are; one Alembic revision for each change."""
