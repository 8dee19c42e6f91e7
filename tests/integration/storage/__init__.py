"""The drivers of the stores against real servers: Swift, S3, Ceph, Cinder and a vCenter."""
