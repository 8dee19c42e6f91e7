"""A service on one machine without Keystone: state directory, clouds.yaml, users, passwords."""
