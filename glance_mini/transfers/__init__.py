"""Keeps the promises about transfers: leases while a process lives, the reaper after it died."""
