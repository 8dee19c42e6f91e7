"""An audit log as a layer of glance_mini."""
