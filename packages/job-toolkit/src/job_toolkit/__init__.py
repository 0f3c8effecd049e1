"""What the scripts of SageMaker jobs share. Import the module that you need: this one imports nothing.

- `training`, `processing`: a job's folders, arguments and data files, and how it ends
- `failure`: one line that says what is wrong, in the log and in SageMaker's reason file
- `hyperparameters`: types, bounds and choices of a training's hyperparameters
- `tables`: CSV and Parquet files, checked; errors name file, row and column
- `splits`: training, validation and test rows, stratified or by a hash of their keys
- `ranking`: how well scores rank rows: thresholds, areas and curves
- `measures`: the metrics of classifications and regressions, with standard deviations
- `metrics`: metrics.csv, the metrics of an evaluation's models
- `model_quality`: SageMaker's model-quality JSON, made of a metrics.csv
- `strict_json`: JSON without NaN and Infinity, which SageMaker refuses
- `pages`: `report`, the frame of an HTML report; `charts`, curves and bars as SVG without a plotting library
- `imports`: which modules a script reaches, and a copy of them for a model archive
"""

__all__ = [
    "failure",
    "hyperparameters",
    "imports",
    "measures",
    "metrics",
    "model_quality",
    "pages",
    "processing",
    "ranking",
    "splits",
    "strict_json",
    "tables",
    "training",
]
