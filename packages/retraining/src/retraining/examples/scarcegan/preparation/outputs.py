"""The ten outputs: rows are appended to files elsewhere, which replace the old ones when all is done."""

import shutil
from pathlib import Path

import polars as pl

from data.part_files import Cluster
from preparation.schema import Schema
from preparation.splits import Range

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
        self._data_header, self._label_header = (
            pl.DataFrame(schema=columns).write_csv().encode()
            for columns in (schema.columns, [schema.key, "label"])
        )
        for folder in OUTPUTS:
            (staging / folder).mkdir(parents=True)

    def append(self, rows: Range, data: bytes, labels: bytes) -> None:
        """Append rows of a range, as CSV lines, to all files that have them, and their labels likewise."""
        for place in self._places(rows):
            self._write(self.path(place), data, self._data_header)
            if rows.split != "unlabelled":
                label = place.replace("_data/", "_label/").replace("/data.csv", "/label.csv")
                self._write(self.path(label), labels, self._label_header)

    def path(self, place: str) -> Path:
        """Of a file: "train_data/data.csv", with the host's name where there are several."""
        return self.staging / self.cluster.name(place)

    def publish(self, out: Path) -> None:
        """Move everything to `out`, in place of what an earlier run left there."""
        for folder in OUTPUTS:
            (out / folder).mkdir(parents=True, exist_ok=True)
        for folder in OUTPUTS:
            for old in (out / folder).iterdir():
                if old.suffix in (".csv", ".json", ".html"):
                    old.unlink()
            for file in sorted((self.staging / folder).iterdir()):
                shutil.move(file, out / folder / file.name)

    def _places(self, rows: Range) -> list[str]:
        if rows.split == "unlabelled":
            return [f"unlabelled_folds/fold_{rows.fold}.csv"]
        if rows.split == "test":
            return ["test/data.csv"]
        kinds = ["validation" if fold == rows.fold else "train" for fold in range(self.folds)]
        folds = [f"kfold_{kind}_data/fold_{fold}.csv" for fold, kind in enumerate(kinds)]
        return [f"{rows.split}_data/data.csv", *folds]

    def _write(self, path: Path, lines: bytes, header: bytes) -> None:
        is_new = not path.exists()
        with path.open("ab") as file:
            if is_new:
                file.write(header)
            for start in range(0, len(lines), AT_ONCE):
                file.write(lines[start : start + AT_ONCE])
