"""Unmodified clients and programs against the service, with a real Keystone and Barbican."""
