"""The processes of the local services."""
