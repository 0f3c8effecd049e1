"""What each candidate is worth on the test rows: scores, baselines, plots and the report."""
