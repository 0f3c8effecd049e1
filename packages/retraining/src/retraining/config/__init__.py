"""The configuration: conf/project.yaml and the models' files, read and checked."""
