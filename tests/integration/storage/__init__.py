"""Tests of the drivers against real storage servers."""
