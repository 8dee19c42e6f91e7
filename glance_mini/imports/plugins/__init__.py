"""Import plugins: what is done to the data and the record of an image before it is stored (api-imports-plugins)."""
