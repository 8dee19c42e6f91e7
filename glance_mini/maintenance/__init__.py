"""What a process does in the background: leases, and the removal of what nobody needs any more."""
