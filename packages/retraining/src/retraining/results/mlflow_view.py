"""How MLflow shows the list of runs: as trainings, with the columns in which runs differ.

MLflow keeps a view that is shared as JSON in a tag of the experiment, and shows it to who has its key in the
address. So ours needs no change of MLflow, and everybody may have another.
"""

import json
from typing import Any

from retraining.config.configuration import Configuration

_KEY = "retraining"
_TAG = f"mlflow.sharedViewState.{_KEY}"
_RUNS = 200  # the newest, which are looked at
_COLUMNS = 8  # of metrics, and of parameters
_COMMIT = "git_commit"


def update(client: Any, run_id: str, configuration: Configuration, metrics: list[str]) -> None:
    """Show these metrics, as far as the run has them, and the parameters that differ between runs."""
    run = client.get_run(run_id)
    experiment_id = run.info.experiment_id
    runs = client.search_runs([experiment_id], max_results=_RUNS)
    given = {name: {item.data.params.get(name) for item in runs} for name in configuration.parameters}
    varied = [name for name, values in given.items() if len(values) > 1]
    measured = [name for name in dict.fromkeys(metrics) if name in run.data.metrics]
    if not measured:
        measured = shown_metrics(client.get_experiment(experiment_id).tags.get(_TAG, ""))
    columns = [
        *(_column("metrics", name) for name in measured[:_COLUMNS]),
        *(_column("params", name) for name in varied[:_COLUMNS]),
        _column("attributes", "Duration"),
        _column("tags", _COMMIT),
    ]
    client.set_experiment_tag(experiment_id, _TAG, json.dumps({"selectedColumns": columns}))


def path(experiment: dict[str, Any]) -> str:
    """The path of an experiment's list of runs on MLflow's pages, of the experiment as its API has it."""
    shared = any(tag["key"] == _TAG for tag in experiment.get("tags", []))
    view = f"&viewStateShareKey={_KEY}" if shared else ""
    return f"/#/experiments/{experiment['experiment_id']}/runs?workflowType=machine_learning{view}"


def _column(kind: str, name: str) -> str:
    return f"{kind}.`{name}`"


def shown_metrics(view: str) -> list[str]:
    """The metrics that a view shows; a run that measured nothing leaves them there."""
    columns = json.loads(view)["selectedColumns"] if view else []
    start = "metrics.`"
    return [column.removeprefix(start)[:-1] for column in columns if column.startswith(start)]
