"""The scikit-learn container's functions: a row's first column times the slope."""

import json
from pathlib import Path


def model_fn(model_dir):
    return json.loads((Path(model_dir) / "model.json").read_text())["slope"]


def input_fn(body, content_type):
    text = body.decode() if isinstance(body, bytes) else body
    return [float(line.split(",")[0]) for line in text.splitlines() if line]


def predict_fn(data, model):
    return [value * model for value in data]


def output_fn(prediction, accept):
    return "\n".join(f"{value:.6f}" for value in prediction) + "\n", accept
