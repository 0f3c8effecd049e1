"""New models in a project, made like others."""
