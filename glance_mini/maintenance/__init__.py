"""Background work of a process: it renews leases and removes data and records that are no longer needed."""
