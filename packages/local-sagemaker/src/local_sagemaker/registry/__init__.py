"""Models and model packages."""
