"""What all of the service rests on: requests, errors, S3 and the database."""
