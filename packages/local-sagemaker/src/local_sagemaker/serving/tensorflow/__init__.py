"""TensorFlow Serving's contract."""
