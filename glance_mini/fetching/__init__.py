"""From where the service fetches data for its users: the judge of addresses, and downloads for imports."""
