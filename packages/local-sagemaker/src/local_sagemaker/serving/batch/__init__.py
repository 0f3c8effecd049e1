"""The caller of a model server in a transform job."""
