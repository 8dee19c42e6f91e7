"""The rows of jobs: how they are added, claimed, ended and listed."""
