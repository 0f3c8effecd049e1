"""From raw files to the splits that training reads, checked and described on the way."""
