"""The data access layer on a database, with SQLAlchemy Core."""
