"""The revisions; their history is linear."""
