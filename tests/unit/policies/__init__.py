"""Tests of glance_mini.policies."""
