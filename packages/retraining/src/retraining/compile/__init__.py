"""From the configuration to a SageMaker pipeline definition and the code that its jobs get."""
