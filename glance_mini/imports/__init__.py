"""Sources of imported data and the processing of it. The jobs of imports are in ``glance_mini.jobs``."""
