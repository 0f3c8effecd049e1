"""The SageMaker inference toolkit's contract."""
