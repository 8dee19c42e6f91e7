"""Tests against real services: databases, a message broker, Keystone, unmodified clients."""
