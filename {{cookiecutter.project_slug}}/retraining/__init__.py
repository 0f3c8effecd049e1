"""The retraining platform: configuration, pipeline definition, runs, experiments and the model registry."""
