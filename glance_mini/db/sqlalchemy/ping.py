"""Answers whether the database can be reached."""

from sqlalchemy import Connection

from glance_mini.operations.records import Ping


def ping(connection: Connection, call: Ping) -> None:
    """Ask the database something that costs nothing."""
    connection.exec_driver_sql("SELECT 1").scalar()


QUERIES = {Ping: ping}
