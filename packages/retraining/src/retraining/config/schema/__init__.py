"""The keys of the configuration and their values."""
