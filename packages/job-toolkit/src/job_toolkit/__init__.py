"""What the scripts of SageMaker jobs share."""
