"""How the steps of a configuration depend on each other, and what each of them uses."""
