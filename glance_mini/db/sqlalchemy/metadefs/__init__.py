"""Metadata definitions in the database."""
