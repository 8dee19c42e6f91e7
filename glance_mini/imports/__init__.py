"""Where imported data comes from and what is done to it. Jobs and the flow of an import stand elsewhere."""
