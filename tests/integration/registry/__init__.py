"""The service with a registry between it and the database."""
