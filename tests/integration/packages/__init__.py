"""What `packaging/` holds, checked and used with the programs of Debian that it is for."""
