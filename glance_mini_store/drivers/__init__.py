"""The built-in drivers; each is loaded by its entry point."""
