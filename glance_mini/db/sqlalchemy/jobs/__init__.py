"""The rows of jobs: added, given out, ended, listed."""
