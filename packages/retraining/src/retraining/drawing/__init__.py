"""The graph of a pipeline, as text and as a picture."""
