"""Import plugins: they change the data and the record of an image before it is stored (api-imports-plugins)."""
