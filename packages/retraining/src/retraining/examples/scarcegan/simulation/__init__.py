"""The sample data: players, their telemetry, and what it aggregates to per day."""
