"""Processing job: measure the model on the test rows."""

import sys
import tarfile

import joblib

from columns import COLUMNS, FEATURES, LABEL
from job_toolkit import measures, metrics, model_quality, processing, strict_json, tables


def main(argv):
    base = processing.parser(__doc__).parse_args(argv).base
    with tarfile.open(base / "input" / "model" / "model.tar.gz") as archive:  # the model is packed here
        member = next(item for item in archive if item.name.endswith("model.joblib"))
        model = joblib.load(archive.extractfile(member))
    rows = tables.read_numbers(base / "input" / "test" / "test.csv", COLUMNS)
    scores = model.predict_proba(rows[FEATURES].to_numpy())[:, 1]
    measured = measures.binary_classification(rows[LABEL] == 1, scores > 0.5, scores)
    folder = base / "output" / "evaluation"
    metrics.write([measured], folder / "metrics.csv")
    model_quality.write(model_quality.from_csv(folder / "metrics.csv"), folder)  # model_quality.json
    strict_json.write(measured.metrics, folder / "evaluation.json")  # the gate reads `auc` in it


if __name__ == "__main__":
    sys.exit(processing.run(main))
