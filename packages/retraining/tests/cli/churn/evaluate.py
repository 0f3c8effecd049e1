"""Accuracy of score > 0.5 against the labels, as SageMaker's model-quality JSON."""

import json
from pathlib import Path

PROCESSING = Path("/opt/ml/processing")

labels = [row.split(",")[0] for row in (PROCESSING / "input/test/rows.csv").read_text().splitlines()]
scores = [float(line) for line in (PROCESSING / "input/transform/features.csv.out").read_text().split()]
assert len(labels) == len(scores)
right = sum((score > 0.5) == (label == "1") for label, score in zip(labels, scores, strict=True))
folder = PROCESSING / "output" / "evaluation"
folder.mkdir(parents=True, exist_ok=True)
metrics = {"accuracy": {"value": right / len(labels), "standard_deviation": "NaN"}}
(folder / "quality.json").write_text(json.dumps({"binary_classification_metrics": metrics}))
