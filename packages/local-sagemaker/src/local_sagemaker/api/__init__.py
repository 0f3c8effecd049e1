"""The operations of the SageMaker API."""
