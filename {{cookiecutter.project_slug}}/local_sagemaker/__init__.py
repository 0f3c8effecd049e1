"""The SageMaker API on this machine: pipelines, jobs and a model registry, done as local processes."""
