"""Tests of glance_mini.conf."""
