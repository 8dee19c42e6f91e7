"""What is done to a stream of image data: inspection, hashes, signatures, fan-out, failover."""
