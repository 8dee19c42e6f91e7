"""Runs revisions on the connection of ``schema``, inside its transaction and lock."""

from alembic import context

from glance_mini.db.sqlalchemy.models import metadata


def run() -> None:
    """Run the revisions that the command asks for."""
    context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
    with context.begin_transaction():
        context.run_migrations()


run()
