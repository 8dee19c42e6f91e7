"""What every implementation of the data access interface must do."""
