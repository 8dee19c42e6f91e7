"""The data access backend for SQL databases, with SQLAlchemy Core."""
