"""The Images API over HTTP: requests become operations, results become JSON, errors become statuses."""
