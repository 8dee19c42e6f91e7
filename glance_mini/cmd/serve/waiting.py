"""The memory of a process for clients that it waits for: bodies that have not ended, answers that are not taken."""

from glance_mini.cmd.serve.connection import Connection


class WaitingBytes:
    """At most about `limit` bytes, of all connections together."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._total = 0
        self._counted: dict[Connection, int] = {}

    def count(self, conn: Connection) -> None:
        """Take note of what the connection holds now."""
        held = conn.held_bytes
        self._total += held - self._counted.pop(conn, 0)
        if held:
            self._counted[conn] = held

    def forget(self, conn: Connection) -> None:
        """Take note that the connection holds nothing any more."""
        self._total -= self._counted.pop(conn, 0)

    def largest_above_limit(self) -> Connection | None:
        """Return the connection that has to give way, one that no thread works on; None if all is within the limit.

        It is the one that holds most, so that small requests go on whatever others hold.
        """
        if self._total <= self._limit:
            return None
        waiting = [conn for conn in self._counted if conn.is_waiting]
        return max(waiting, key=lambda conn: self._counted[conn], default=None)
