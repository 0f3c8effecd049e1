"""Model servers and their callers. Imports nothing outside this folder: jobs get a copy of it."""
