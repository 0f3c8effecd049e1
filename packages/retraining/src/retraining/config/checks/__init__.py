"""What is wrong in a configuration beyond the form of its values."""
