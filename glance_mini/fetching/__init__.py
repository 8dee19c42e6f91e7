"""Fetching of data for users: the filter of addresses, and downloads for imports."""
