"""The consumer side of the durable job queue: the loop that claims jobs, and the types of job."""
