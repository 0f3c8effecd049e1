"""What runs leave behind: evaluations, experiments, registered models."""
