"""The columns of the data: change them here, and everything follows, the simulated data and the tests too."""

LABEL = "left"  # 1 or 0
FEATURES = ["minutes", "calls"]  # numbers

COLUMNS = [LABEL, *FEATURES]
