"""Console scripts; the only place besides `glance_mini.wsgi` that reads the global configuration."""
