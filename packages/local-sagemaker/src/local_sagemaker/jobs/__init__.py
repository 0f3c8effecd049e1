"""Processing, training, transform and tuning jobs."""
