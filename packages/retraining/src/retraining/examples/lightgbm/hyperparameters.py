"""The training's hyperparameters, and what is allowed."""

from dataclasses import dataclass

from job_toolkit.hyperparameters import integer, number


@dataclass(frozen=True)
class Hyperparameters:
    """Train LightGBM."""

    num_leaves: int = integer(15, 2, 131_072, "leaves per tree")
    learning_rate: float = number(0.05, 1e-5, 1.0, "shrinkage of each tree")
    num_iterations: int = integer(1000, 1, 100_000, "trees at most; early stopping ends before")
    early_stopping_rounds: int = integer(50, 1, 100_000, "trees without a lower validation loss")
    min_data_in_leaf: int = integer(40, 1, 1_000_000, "rows per leaf at least")
    feature_fraction: float = number(0.7, 0.01, 1.0, "share of the features per tree")
    bagging_fraction: float = number(0.8, 0.01, 1.0, "share of the rows per tree")
    lambda_l2: float = number(5.0, 0.0, 1e6, "L2 regularisation")
    scale_pos_weight: float = number(1.0, 1e-3, 1e3, "weight of a purchase; 1 keeps probabilities honest")
    beta: float = number(1.0, 0.1, 10.0, "the threshold has the best F-beta; above 1 favours recall")
    seed: int = integer(7, 0, 1_000_000, "seed of the samples of rows and features")
