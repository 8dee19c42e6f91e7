"""Verifies what the stores hold: reads copies again, repairs broken ones, and finds data that no image knows."""
