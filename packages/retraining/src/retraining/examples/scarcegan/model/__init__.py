"""The networks, their losses, the loop that trains them, and the SavedModel they become."""
