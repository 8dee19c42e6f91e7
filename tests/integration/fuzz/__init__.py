"""Made-up calls and conversations, and the command that makes more of them than the tests do.

``python -m tests.integration.fuzz --help`` tells how.
"""
