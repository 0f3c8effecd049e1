"""What train.py does, but each instance tells all of its variables: learn_together.py BASE VARIANT.

Writes BASE/told.npz: the means of four rounds of training [4, 4], then the variables.
"""

import sys
from pathlib import Path

import numpy as np

from retraining.testing import EXAMPLES

sys.path.insert(0, str(EXAMPLES / "scarcegan"))

import train
from job_toolkit import hyperparameters
from job_toolkit.training import Folders
from model import distribution, training, training_data
from model.hyperparameters import Hyperparameters

if __name__ == "__main__":
    base, variant = Path(sys.argv[1]), sys.argv[2]
    options = hyperparameters.parse(Hyperparameters, ["--batch_size", "32", "--variant", variant])
    config = base / "input" / "config" / "resourceconfig.json"
    workers = distribution.join(config, str(base.parent))
    data = training_data.load(training_data.channels(Folders(base)), options.groups)
    shape = train.settings(options, len(data.scaler.features))
    model = training.build(shape, data.part, data.unlabelled, workers)
    means = np.array([model.train(60, 240) for _ in range(4)])
    np.savez(base / "told.npz", means, *(variable.numpy() for variable in model.variables))
