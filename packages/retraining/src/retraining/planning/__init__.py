"""What a run would do, and when the next one is due."""
