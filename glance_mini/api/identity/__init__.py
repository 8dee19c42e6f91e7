"""The small part of the Identity API v3 that clients need to log in without Keystone (operator/identity)."""
