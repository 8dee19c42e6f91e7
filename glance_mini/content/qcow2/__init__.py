"""Incremental disks: reads chains of qcow2 files and writes what they mean as one file (format-incremental)."""
