"""The durable job queue's working end: the loop that takes jobs, and the types of job."""
