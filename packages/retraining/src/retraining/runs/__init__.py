"""Executions of the pipeline, on this machine or in AWS."""
