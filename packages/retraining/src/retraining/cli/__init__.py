"""The command `retrain`."""
