"""Hyperparameter tuning jobs: CreateHyperParameterTuningJob's request as a plan, and what Describe shows.

Contract: https://docs.aws.amazon.com/sagemaker/latest/dg/automatic-model-tuning-how-it-works.html
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from local_sagemaker.core import clock
from local_sagemaker.core.errors import ValidationError
from local_sagemaker.core.store import Document
from local_sagemaker.jobs.instance import refuse, refuse_values
from local_sagemaker.jobs.script_mode import OBJECTIVE
from local_sagemaker.jobs.training import Training
from local_sagemaker.jobs.tuning import ranges
from local_sagemaker.jobs.tuning.ranges import Choice, Range
from local_sagemaker.jobs.tuning.search import Bayesian, Grid, Random, Search

KIND = "hyper-parameter-tuning-job"
ATTEMPTS = 5  # training jobs without a success after which SageMaker gives up

_CONFIG = "HyperParameterTuningJobConfig"
_DEFINITION = "TrainingJobDefinition"
_MOST = 750  # training jobs of one tuning job, SageMaker's own limit
_TOP = 50  # jobs that a pipeline's property TrainingJobSummaries holds
_BETTER = 0.01  # part of the best objective that counts as an improvement, as SageMaker has it
REFUSED = {
    "TrainingJobDefinitions": "several definitions are tuned on AWS only; give TrainingJobDefinition",
    "WarmStartConfig": "warm starts from earlier tuning jobs run on AWS only",
    "Autotune": "Autotune runs on AWS only; give the ranges",
    f"{_CONFIG}.StrategyConfig": "the strategy that it is for, Hyperband, runs on AWS only",
    f"{_DEFINITION}.TuningObjective": f"give {_CONFIG}.HyperParameterTuningJobObjective",
    f"{_DEFINITION}.HyperParameterRanges": f"give {_CONFIG}.ParameterRanges",
    f"{_DEFINITION}.HyperParameterTuningResourceConfig.InstanceConfigs": "give one InstanceType",
}
_RESOURCES = ("InstanceType", "InstanceCount", "VolumeSizeInGB", "VolumeKmsKeyId")
# Members of a training job definition that are not, or not in the same words, a training job's.
_OWN = frozenset({"DefinitionName", "StaticHyperParameters", "HyperParameterTuningResourceConfig"})


@dataclass(frozen=True)
class Plan:
    """What a tuning job has to do, in the units of the API (seconds, counts).

    `sign` turns objectives into ones of which less is better. `in_order` makes each proposal wait
    for the results that it always has when jobs run one as long as another, so that a seed gives
    the same proposals however long they take.
    """

    search: Search
    metric: str
    sign: float
    most: int
    parallel: int
    runtime: float | None
    target: float | None
    patience: int | None
    in_order: bool


def plan(request: Document) -> Plan:
    """The plan; raises ValidationError for what cannot be done here or makes no sense, naming the member."""
    refuse(request, REFUSED)
    if _DEFINITION not in request:
        raise ValidationError(f"{_DEFINITION} must be given")
    config, definition = request[_CONFIG], request[_DEFINITION]
    if not ("ResourceConfig" in definition or "HyperParameterTuningResourceConfig" in definition):
        raise ValidationError(
            f"{_DEFINITION} must have a ResourceConfig or a HyperParameterTuningResourceConfig"
        )
    allowed = {"Strategy": ("Bayesian", "Random", "Grid"), "TrainingJobEarlyStoppingType": ("Off",)}
    refuse_values(_CONFIG, config, allowed)
    criteria = config.get("TuningJobCompletionCriteria", {})
    where = f"{_CONFIG}.TuningJobCompletionCriteria.ConvergenceDetected"
    refuse_values(where, criteria.get("ConvergenceDetected", {}), {"CompleteOnConvergence": ("Disabled",)})
    objective = _objective(config, definition)
    tuned = ranges.parse(config.get("ParameterRanges", {}))
    if both := sorted({item.name for item in tuned} & set(definition.get("StaticHyperParameters", {}))):
        raise ValidationError(f"{', '.join(both)}: a hyperparameter is tuned or static, not both")
    seed = config.get("RandomSeed")
    search = _search(config["Strategy"], tuned, _seed(request) if seed is None else seed)
    limits = config["ResourceLimits"]
    most = _most(limits, search, bool(criteria))
    return Plan(
        search=search,
        metric=objective["MetricName"],
        sign=1.0 if objective["Type"] == "Minimize" else -1.0,
        most=most,
        parallel=min(limits["MaxParallelTrainingJobs"], most),
        runtime=limits.get("MaxRuntimeInSeconds"),
        target=criteria.get("TargetObjectiveMetricValue"),
        patience=criteria.get("BestObjectiveNotImproving", {}).get("MaxNumberOfTrainingJobsNotImproving"),
        in_order=seed is not None and isinstance(search, Bayesian),
    )


def check(request: Document) -> None:
    """Raise ValidationError for a request that cannot be done here, its training jobs included."""
    values = plan(request).search.propose([])
    Training().check(training_job(request, "", 1, values))


def description(request: Document) -> Document:
    """What DescribeHyperParameterTuningJob shows of a new job in addition to the request's own members."""
    definition = request[_DEFINITION]
    metric = request[_CONFIG]["HyperParameterTuningJobObjective"]["MetricName"]
    static = {**definition.get("StaticHyperParameters", {}), OBJECTIVE: metric}
    return {_DEFINITION: {**definition, "StaticHyperParameters": static}, **_overview([], 1.0)}


def training_job(request: Document, arn: str, number: int, values: dict[str, str]) -> Document:
    """The request of the training job `number` (from 1 on) with the tuned `values`.

    Each has checkpoints of its own, in a folder of its name below CheckpointConfig.S3Uri.
    """
    definition = request[_DEFINITION]
    metric = request[_CONFIG]["HyperParameterTuningJobObjective"]["MetricName"]
    text = f"{arn}/{number}/{sorted(values.items())}"
    identity = hashlib.sha256(text.encode()).hexdigest()[:8]
    name = f"{request['HyperParameterTuningJobName']}-{number:03d}-{identity}"
    job = {member: value for member, value in definition.items() if member not in _OWN}
    job |= {
        "TrainingJobName": name,
        "TuningJobArn": arn,
        "HyperParameters": {**definition.get("StaticHyperParameters", {}), **values, OBJECTIVE: metric},
    }
    if checkpoints := job.get("CheckpointConfig"):
        job["CheckpointConfig"] = {**checkpoints, "S3Uri": f"{checkpoints['S3Uri'].rstrip('/')}/{name}"}
    if "ResourceConfig" not in job:
        resources = definition.get("HyperParameterTuningResourceConfig", {})
        job["ResourceConfig"] = {member: resources[member] for member in _RESOURCES if member in resources}
    return job


def summary(job: Document, body: Document) -> Document:
    """HyperParameterTrainingJobSummary of a training job of the tuning job `body`."""
    config = body[_CONFIG]
    metric = config["HyperParameterTuningJobObjective"]["MetricName"]
    tuned = {item.name for item in ranges.parse(config["ParameterRanges"])}
    kept = (
        "TrainingJobName",
        "TrainingJobArn",
        "TrainingJobStatus",
        "CreationTime",
        "TrainingStartTime",
        "TrainingEndTime",
        "FailureReason",
    )
    known: Document = {member: job[member] for member in kept if member in job}
    known["TunedHyperParameters"] = {
        name: value for name, value in job["HyperParameters"].items() if name in tuned
    }
    if "DefinitionName" in body[_DEFINITION]:
        known["TrainingJobDefinitionName"] = body[_DEFINITION]["DefinitionName"]
    objective = objective_of(job, metric)
    if objective is not None:
        known["FinalHyperParameterTuningJobObjectiveMetric"] = {"MetricName": metric, "Value": objective}
        known["ObjectiveStatus"] = "Succeeded"
    else:
        running = job["TrainingJobStatus"] in ("InProgress", "Stopping")
        known["ObjectiveStatus"] = "Pending" if running else "Failed"
    return known


def objective_of(job: Document, metric: str) -> float | None:
    """The final value of the objective that a training job which did not fail came to."""
    if job["TrainingJobStatus"] not in ("Completed", "Stopped"):
        return None
    for item in job.get("FinalMetricDataList", []):
        if item["MetricName"] == metric:
            return float(item["Value"])
    return None


def overview(body: Document, jobs: Sequence[Document]) -> Document:
    """What the tuning job `body` shows of its training jobs, oldest first: counters and the best.

    TrainingJobSummaries, best first, is no member of Describe: it is what pipelines refer to.
    """
    sign = 1.0 if body[_CONFIG]["HyperParameterTuningJobObjective"]["Type"] == "Minimize" else -1.0
    now = clock.now(body["LastModifiedTime"])
    seconds = {"RuntimeInSeconds": int(now - body["CreationTime"])}
    totals = {"ConsumedResources": seconds, "LastModifiedTime": now}
    return {**_overview([summary(job, body) for job in jobs], sign), **totals}


def not_improving(objectives: list[float]) -> int:
    """How many of `objectives` (less is better), from the last one back, were no improvement by 1 %."""
    count, best = 0, None
    for objective in objectives:
        if best is None or objective < best - _BETTER * abs(best):
            count, best = 0, objective
        else:
            count, best = count + 1, min(best, objective)
    return count


def _overview(summaries: list[Document], sign: float) -> Document:
    best = sorted(
        (item for item in summaries if item["ObjectiveStatus"] == "Succeeded"),
        key=lambda item: sign * item["FinalHyperParameterTuningJobObjectiveMetric"]["Value"],
    )
    values = [sign * _value(item) for item in summaries if item["ObjectiveStatus"] == "Succeeded"]
    statuses = ("Succeeded", "Pending", "Failed")
    counted = [_counter(item) for item in summaries]
    names = ("Completed", "InProgress", "RetryableError", "NonRetryableError", "Stopped")
    counters: Document = {
        "TrainingJobStatusCounters": {name: counted.count(name) for name in names},
        "ObjectiveStatusCounters": {
            status: sum(item["ObjectiveStatus"] == status for item in summaries) for status in statuses
        },
        "TrainingJobSummaries": best[:_TOP],
        "TuningJobCompletionDetails": {"NumberOfTrainingJobsObjectiveNotImproving": not_improving(values)},
    }
    return {**counters, "BestTrainingJob": best[0]} if best else counters


def _value(item: Document) -> float:
    return float(item["FinalHyperParameterTuningJobObjectiveMetric"]["Value"])


def _counter(item: Document) -> str:
    if item["TrainingJobStatus"] == "Failed":
        internal = item.get("FailureReason", "").startswith("InternalServerError")
        return "RetryableError" if internal else "NonRetryableError"
    return "InProgress" if item["TrainingJobStatus"] == "Stopping" else str(item["TrainingJobStatus"])


def _objective(config: Document, definition: Document) -> Document:
    objective: Document | None = config.get("HyperParameterTuningJobObjective")
    if objective is None:
        raise ValidationError(f"{_CONFIG}.HyperParameterTuningJobObjective must be given")
    metrics = [item["Name"] for item in definition["AlgorithmSpecification"].get("MetricDefinitions", [])]
    if objective["MetricName"] not in metrics:
        raise ValidationError(
            "A metric is required for this hyperparameter tuning job objective. Provide a metric in the"
            f" metric definitions: {objective['MetricName']!r} is not in {_DEFINITION}"
            f".AlgorithmSpecification.MetricDefinitions, which has: {', '.join(metrics) or 'none'}"
        )
    return objective


def _search(strategy: str, tuned: tuple[Range, ...], seed: int) -> Search:
    if strategy == "Random":
        return Random(tuned, seed)
    if strategy == "Bayesian":
        return Bayesian(tuned, seed)
    choices = [item for item in tuned if isinstance(item, Choice)]
    if len(choices) < len(tuned):
        raise ValidationError("the Grid strategy takes CategoricalParameterRanges only")
    return Grid(choices)


def _most(limits: Document, search: Search, has_criteria: bool) -> int:
    most: Any = limits.get("MaxNumberOfTrainingJobs")
    where = f"{_CONFIG}.ResourceLimits.MaxNumberOfTrainingJobs"
    if isinstance(search, Grid):
        if most not in (None, search.size):
            raise ValidationError(
                f"{where} must be left out or be {search.size}, the number of combinations:"
                " Grid tries all of them"
            )
        most = search.size
    if most is None and not (has_criteria or "MaxRuntimeInSeconds" in limits):
        raise ValidationError(f"{where} must be given")
    if most is not None and most > _MOST:
        raise ValidationError(f"{where} is {most}; {_MOST} training jobs are the most")
    return _MOST if most is None else int(most)


def _seed(request: Document) -> int:
    """Without RandomSeed every tuning job draws differently, by its name."""
    name = request["HyperParameterTuningJobName"]
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
