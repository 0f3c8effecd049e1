"""Pipeline definitions, read."""
