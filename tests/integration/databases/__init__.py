"""The service on PostgreSQL and MariaDB, and what is left when it or they are killed."""
