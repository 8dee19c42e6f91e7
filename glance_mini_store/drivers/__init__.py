"""The drivers that come with the library; each is loaded by its entry point."""
