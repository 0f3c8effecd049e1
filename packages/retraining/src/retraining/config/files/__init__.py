"""The YAML files of a project, with the place of each key."""
