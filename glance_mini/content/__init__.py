"""Processing of a stream of image data: inspection, hashes, signatures, fan-out, failover."""
