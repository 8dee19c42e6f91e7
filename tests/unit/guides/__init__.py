"""The programs and tests that the manual prints run as they are printed."""
