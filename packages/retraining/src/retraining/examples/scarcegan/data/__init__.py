"""What preprocess.py writes and the other jobs read: rows in CSV files, their keys' hashes, the scaler."""
