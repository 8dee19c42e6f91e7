"""What one machine needs without Keystone: state directory, clouds.yaml, users, passwords."""
