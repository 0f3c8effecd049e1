"""The ten outputs: rows are appended to their files beside the outputs, which get them when all is done."""

import shutil
from pathlib import Path

import polars as pl

from part_files import Cluster
from preparation.splits import Range
from preparation.table_schema import Schema

OUTPUTS = (
    "train_data", "train_label", "validation_data", "validation_label", "kfold_train_data",
    "kfold_train_label", "kfold_validation_data", "kfold_validation_label", "unlabelled_folds", "test",
)  # fmt: skip
# Bytes of a write. Those of several megabytes were found to take four times as long: Linux then looks for
# memory in large pieces for its cache.
AT_ONCE = 512 << 10


class Outputs:
    """Files of the outputs in `staging`; on one of several hosts their names carry the host's."""

    def __init__(self, staging: Path, schema: Schema, folds: int, cluster: Cluster) -> None:
        self.staging, self.folds, self.cluster = staging, folds, cluster
        self._headers = {
            labels: pl.DataFrame(schema=columns).write_csv().encode()
            for labels, columns in ((True, [schema.key, "label"]), (False, schema.columns))
        }
        for folder in OUTPUTS:
            (staging / folder).mkdir(parents=True)

    def append(self, rows: Range, data: bytes, labels: bytes) -> None:
        """Append rows of a range, as CSV lines, to all files that have them, and their labels likewise."""
        for place in self._places(rows):
            self._write(self.path(place), data, labels=False)
            if rows.split != "unlabelled":
                label = place.replace("_data/", "_label/").replace("/data.csv", "/label.csv")
                self._write(self.path(label), labels, labels=True)

    def path(self, place: str) -> Path:
        """Where a file lies: "train_data/data.csv", with the host's name among several."""
        folder, _, file = place.partition("/")
        return self.staging / folder / self.cluster.name(file)

    def publish(self, out: Path) -> None:
        """Move everything to `out`, in place of what an earlier run left there."""
        for folder in OUTPUTS:
            (out / folder).mkdir(parents=True, exist_ok=True)
        for folder in OUTPUTS:
            target = out / folder
            for old in (old for kind in ("csv", "json", "html") for old in target.glob(f"*.{kind}")):
                old.unlink()
            for file in sorted((self.staging / folder).iterdir()):
                shutil.move(file, target / file.name)

    def _places(self, rows: Range) -> list[str]:
        if rows.split == "unlabelled":
            return [f"unlabelled_folds/fold_{rows.fold}.csv"]
        if rows.split == "test":
            return ["test/data.csv"]
        kinds = ["validation" if fold == rows.fold else "train" for fold in range(self.folds)]
        return [f"{rows.split}_data/data.csv"] + [
            f"kfold_{kind}_data/fold_{fold}.csv" for fold, kind in enumerate(kinds)
        ]

    def _write(self, path: Path, lines: bytes, labels: bool) -> None:
        first = not path.exists()
        with path.open("ab") as file:
            if first:
                file.write(self._headers[labels])
            for start in range(0, len(lines), AT_ONCE):
                file.write(lines[start : start + AT_ONCE])
