"""Moving from another image service, Glance, and back: reads and fills its database, as it is shaped since 2024.1."""
