"""Hyperparameter tuning jobs through an unmodified boto3 client."""

import io
import json
import tarfile
from typing import Any

import pytest
from botocore.exceptions import ClientError
from pipelines_to_run import until
from tuning_jobs_to_run import BOWL, arguments, number, put_source

from local_sagemaker.core.settings import Settings


class Tuning:
    """Starts tuning jobs and waits for them."""

    def __init__(self, settings: Settings, client: Any) -> None:
        self.settings = settings
        self.client = client

    def start(self, name: str, body: str = BOWL, tags: Any = (), files: Any = None, **options: Any) -> str:
        source = put_source(self.settings, f"{name}/source.tar.gz", body, **(files or {}))
        request = arguments(source, f"s3://{self.settings.bucket}/{name}/out", **options)
        arn: str = self.client.create_hyper_parameter_tuning_job(
            HyperParameterTuningJobName=name, Tags=list(tags), **request
        )["HyperParameterTuningJobArn"]
        return arn

    def describe(self, name: str) -> dict[str, Any]:
        job: dict[str, Any] = self.client.describe_hyper_parameter_tuning_job(
            HyperParameterTuningJobName=name
        )
        return job

    def wait(self, name: str) -> dict[str, Any]:
        def ended() -> bool:
            status = self.describe(name)["HyperParameterTuningJobStatus"]
            return status not in ("InProgress", "Stopping")

        until(ended)
        return self.describe(name)

    def run(self, name: str, body: str = BOWL, **options: Any) -> dict[str, Any]:
        self.start(name, body, **options)
        return self.wait(name)

    def jobs(self, name: str, **request: Any) -> list[dict[str, Any]]:
        """The training jobs, by name: in the order in which they were started."""
        listed: list[dict[str, Any]] = self.client.list_training_jobs_for_hyper_parameter_tuning_job(
            HyperParameterTuningJobName=name, **request
        )["TrainingJobSummaries"]
        return listed

    def tried(self, name: str) -> list[dict[str, str]]:
        return [job["TunedHyperParameters"] for job in self.jobs(name)]

    def seen(self, job: str) -> dict[str, Any]:
        """What the program of a training job left in its model."""
        uri = self.client.describe_training_job(TrainingJobName=job)["ModelArtifacts"]["S3ModelArtifacts"]
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        body = self.settings.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
        with tarfile.open(fileobj=io.BytesIO(body)) as archive:
            document: dict[str, Any] = json.load(archive.extractfile("arguments.json"))  # type: ignore[arg-type]
        return document


@pytest.fixture(scope="session")
def tuning(local: Settings, sagemaker: Any) -> Tuning:
    return Tuning(local, sagemaker)


def loss(job: dict[str, Any]) -> float:
    return float(job["FinalHyperParameterTuningJobObjectiveMetric"]["Value"])


def test_the_best_training_job_is_found(tuning: Tuning, name: str) -> None:
    arn = tuning.start(name, jobs=4, parallel=2, tags=[{"Key": "team", "Value": "a"}])
    assert arn == f"arn:aws:sagemaker:eu-west-1:{tuning.settings.account}:hyper-parameter-tuning-job/{name}"
    description = tuning.wait(name)
    assert description["HyperParameterTuningJobStatus"] == "Completed"
    assert description["TrainingJobStatusCounters"] == {
        "Completed": 4,
        "InProgress": 0,
        "RetryableError": 0,
        "NonRetryableError": 0,
        "Stopped": 0,
    }
    assert description["ObjectiveStatusCounters"] == {"Succeeded": 4, "Pending": 0, "Failed": 0}
    assert description["HyperParameterTuningEndTime"] >= description["CreationTime"]
    jobs = tuning.jobs(name)
    assert [job["TrainingJobName"][: len(name) + 5] for job in jobs] == [
        f"{name}-{number:03d}-" for number in (1, 2, 3, 4)
    ]
    for job in jobs:
        assert loss(job) == pytest.approx((float(job["TunedHyperParameters"]["x"]) - 0.3) ** 2)
    best = description["BestTrainingJob"]
    assert loss(best) == min(map(loss, jobs))
    assert best["FinalHyperParameterTuningJobObjectiveMetric"]["MetricName"] == "loss"
    child = tuning.client.describe_training_job(TrainingJobName=best["TrainingJobName"])
    assert child["TuningJobArn"] == arn
    tags = tuning.client.list_tags(ResourceArn=child["TrainingJobArn"])["Tags"]
    assert tags == [{"Key": "team", "Value": "a"}] == tuning.client.list_tags(ResourceArn=arn)["Tags"]


def test_maximize_prefers_more(tuning: Tuning, name: str) -> None:
    job = tuning.run(name, objective="Maximize")
    assert loss(job["BestTrainingJob"]) == max(map(loss, tuning.jobs(name)))


def test_hyperparameters_reach_the_program_as_in_an_image(tuning: Tuning, name: str) -> None:
    ranges = {
        "IntegerParameterRanges": [number("n", 1, 9)],
        "CategoricalParameterRanges": [{"Name": "kind", "Values": ["a b", "c"]}],
    }
    tuning.run(name, "print('loss=1')", jobs=1, ranges=ranges, static={"epochs": "3", "deep": '{"a": 1}'})
    job = tuning.jobs(name)[0]
    seen, tuned = tuning.seen(job["TrainingJobName"]), job["TunedHyperParameters"]
    assert set(tuned) == {"n", "kind"}
    assert seen["values"] == {
        **tuned,
        "epochs": "3",
        "deep": '{"a": 1}',
        "_tuning_objective_metric": "loss",
        "sagemaker_program": "train.py",
        "sagemaker_submit_directory": f"s3://{tuning.settings.bucket}/{name}/source.tar.gz",
    }
    assert seen["hps"] == {"n": int(tuned["n"]), "kind": tuned["kind"], "epochs": 3, "deep": {"a": 1}}
    assert seen["arguments"] == [
        *("--deep", "a=1", "--epochs", "3", "--kind", tuned["kind"]),
        *("-n", tuned["n"]),
    ]
    static = tuning.describe(name)["TrainingJobDefinition"]["StaticHyperParameters"]
    assert static["_tuning_objective_metric"] == "loss"


def test_the_requirements_of_the_program_are_installed(tuning: Tuning, name: str) -> None:
    job = tuning.run(name, jobs=1, files={"requirements.txt": "packaging\n"})
    assert job["HyperParameterTuningJobStatus"] == "Completed"
    log = tuning.settings.job_log(tuning.jobs(name)[0]["TrainingJobName"]).read_text()
    assert "Requirement already satisfied: packaging" in log


def test_grid_tries_every_combination_once(tuning: Tuning, name: str) -> None:
    ranges = {
        "CategoricalParameterRanges": [
            {"Name": "x", "Values": ["0.1", "0.3"]},
            {"Name": "y", "Values": ["p", "q"]},
        ]
    }
    job = tuning.run(name, strategy="Grid", jobs=4, parallel=3, ranges=ranges)
    assert job["BestTrainingJob"]["TunedHyperParameters"]["x"] == "0.3"
    tried = {(values["x"], values["y"]) for values in tuning.tried(name)}
    assert tried == {("0.1", "p"), ("0.1", "q"), ("0.3", "p"), ("0.3", "q")}


def test_bayesian_search_comes_close_and_repeats(tuning: Tuning, name: str) -> None:
    options: dict[str, Any] = {"strategy": "Bayesian", "jobs": 9, "parallel": 2}
    first = tuning.run(f"{name}-a", **options)
    assert loss(first["BestTrainingJob"]) < 0.01
    tuning.run(f"{name}-b", f"time.sleep(0.4 * float(values['x']))\n{BOWL}", **options)
    assert tuning.tried(f"{name}-a") == tuning.tried(f"{name}-b")


def test_another_seed_tries_other_values(tuning: Tuning, name: str) -> None:
    tuning.run(f"{name}-a", jobs=2)
    tuning.run(f"{name}-b", jobs=2)
    tuning.run(f"{name}-c", jobs=2, RandomSeed=8)
    assert tuning.tried(f"{name}-a") == tuning.tried(f"{name}-b")
    assert tuning.tried(f"{name}-a") != tuning.tried(f"{name}-c")


def test_failures_are_counted_and_the_rest_goes_on(tuning: Tuning, name: str) -> None:
    body = f"if values['x'] == 'bad': sys.exit('no such thing')\nif values['x'] != 'dumb':\n    {BOWL}"
    ranges = {"CategoricalParameterRanges": [{"Name": "x", "Values": ["bad", "dumb", "0.5"]}]}
    description = tuning.run(name, body, strategy="Grid", jobs=3, ranges=ranges)
    assert description["HyperParameterTuningJobStatus"] == "Completed"
    assert description["ObjectiveStatusCounters"] == {"Succeeded": 1, "Pending": 0, "Failed": 2}
    assert description["TrainingJobStatusCounters"]["NonRetryableError"] == 1
    bad, dumb, good = tuning.jobs(name)
    assert "no such thing" in bad["FailureReason"]
    assert [job["ObjectiveStatus"] for job in (bad, dumb, good)] == ["Failed", "Failed", "Succeeded"]
    assert dumb["TrainingJobStatus"] == "Completed"


def test_five_failures_end_it_with_a_reason(tuning: Tuning, name: str) -> None:
    job = tuning.run(name, "sys.exit('the data is empty')", jobs=20)
    assert job["HyperParameterTuningJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("No training job succeeded after 5 attempts. Please take a look")
    assert "the data is empty" in job["FailureReason"]
    assert job["TrainingJobStatusCounters"]["NonRetryableError"] == 5
    assert "BestTrainingJob" not in job


def test_no_metric_at_all_is_said(tuning: Tuning, name: str) -> None:
    job = tuning.run(name, "print('accuracy=1')", jobs=2)
    assert job["HyperParameterTuningJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("No objective metrics found after running 2 training jobs.")


def test_a_target_ends_it(tuning: Tuning, name: str) -> None:
    criteria = {"TargetObjectiveMetricValue": 2.0}
    job = tuning.run(
        name, "print('loss=1')", jobs=20, objective="Minimize", TuningJobCompletionCriteria=criteria
    )
    assert job["HyperParameterTuningJobStatus"] == "Completed"
    assert job["TrainingJobStatusCounters"]["Completed"] == 1


def test_no_improvement_ends_it(tuning: Tuning, name: str) -> None:
    criteria = {"BestObjectiveNotImproving": {"MaxNumberOfTrainingJobsNotImproving": 3}}
    job = tuning.run(name, "print('loss=1')", jobs=20, TuningJobCompletionCriteria=criteria)
    assert job["TrainingJobStatusCounters"]["Completed"] == 4
    assert job["TuningJobCompletionDetails"]["NumberOfTrainingJobsObjectiveNotImproving"] == 3


def test_stop_stops_the_training_jobs(tuning: Tuning, name: str) -> None:
    tuning.start(name, "time.sleep(300)", parallel=2)
    until(lambda: len(tuning.jobs(name)) == 2)
    tuning.client.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
    assert tuning.wait(name)["HyperParameterTuningJobStatus"] == "Stopped"
    assert tuning.describe(name)["TrainingJobStatusCounters"]["Stopped"] == 2
    assert [job["TrainingJobStatus"] for job in tuning.jobs(name)] == ["Stopped", "Stopped"]
    with pytest.raises(ClientError, match="in status Stopped"):
        tuning.client.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)


def test_each_training_job_has_checkpoints_of_its_own(tuning: Tuning, name: str) -> None:
    uri = f"s3://{tuning.settings.bucket}/{name}/checkpoints"
    tuning.run(name, jobs=1, training={"CheckpointConfig": {"S3Uri": uri}})
    job = tuning.jobs(name)[0]["TrainingJobName"]
    child = tuning.client.describe_training_job(TrainingJobName=job)
    assert child["CheckpointConfig"]["S3Uri"] == f"{uri}/{job}"


def test_the_instance_may_be_given_in_the_words_of_tuning(tuning: Tuning, name: str) -> None:
    resources = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "AllocationStrategy": "Prioritized"}
    source = put_source(tuning.settings, f"{name}/source.tar.gz", BOWL)
    request = arguments(source, f"s3://{tuning.settings.bucket}/{name}/out", jobs=1)
    del request["TrainingJobDefinition"]["ResourceConfig"]
    create = tuning.client.create_hyper_parameter_tuning_job
    with pytest.raises(
        ClientError, match="must have a ResourceConfig or a HyperParameterTuningResourceConfig"
    ):
        create(HyperParameterTuningJobName=name, **request)
    request["TrainingJobDefinition"]["HyperParameterTuningResourceConfig"] = resources
    create(HyperParameterTuningJobName=name, **request)
    assert tuning.wait(name)["HyperParameterTuningJobStatus"] == "Completed"
    job = tuning.jobs(name)[0]["TrainingJobName"]
    description = tuning.client.describe_training_job(TrainingJobName=job)["ResourceConfig"]
    assert description == {"InstanceType": "ml.m5.large", "InstanceCount": 1}


def test_lists_are_sorted_filtered_and_paged(tuning: Tuning, name: str) -> None:
    body = f"if float(values['x']) > 0.9: sys.exit(1)\n{BOWL}"
    ranges = {"CategoricalParameterRanges": [{"Name": "x", "Values": ["0.8", "0.2", "1.0", "0.5"]}]}
    tuning.run(name, body, strategy="Grid", jobs=4, ranges=ranges)
    by_value = tuning.jobs(name, SortBy="FinalObjectiveMetricValue", SortOrder="Descending")
    assert [job["TunedHyperParameters"]["x"] for job in by_value] == ["0.8", "0.5", "0.2"]
    assert len(tuning.jobs(name, StatusEquals="Failed")) == 1
    pages = tuning.client.get_paginator("list_training_jobs_for_hyper_parameter_tuning_job").paginate(
        HyperParameterTuningJobName=name, PaginationConfig={"PageSize": 3}
    )
    names = [job["TrainingJobName"] for page in pages for job in page["TrainingJobSummaries"]]
    assert names == sorted(names)
    assert len(names) == 4
    tuning.run(f"{name}-b", jobs=1)
    listed = tuning.client.list_hyper_parameter_tuning_jobs(NameContains=name)
    summaries = listed["HyperParameterTuningJobSummaries"]
    assert [item["HyperParameterTuningJobName"] for item in summaries] == [name, f"{name}-b"]
    assert summaries[0]["Strategy"] == "Grid"
    assert summaries[0]["TrainingJobStatusCounters"]["Completed"] == 3
    assert summaries[1]["ResourceLimits"]["MaxNumberOfTrainingJobs"] == 1
    failed = tuning.client.list_hyper_parameter_tuning_jobs(NameContains=name, StatusEquals="Failed")
    assert failed["HyperParameterTuningJobSummaries"] == []


def test_a_name_is_used_once_and_unknown_ones_are_named(tuning: Tuning, name: str) -> None:
    tuning.run(name, jobs=1)
    with pytest.raises(ClientError, match="already exists") as raised:
        tuning.start(name)
    assert raised.value.response["Error"]["Code"] == "ResourceInUse"
    for operation in ("describe_hyper_parameter_tuning_job", "stop_hyper_parameter_tuning_job"):
        with pytest.raises(ClientError, match="a tuning job called nobody") as raised:
            getattr(tuning.client, operation)(HyperParameterTuningJobName="nobody")
        assert raised.value.response["Error"]["Code"] == "ResourceNotFound"


CATEGORIES = {"CategoricalParameterRanges": [{"Name": "x", "Values": ["1", "2"]}]}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"strategy": "Hyperband"}, "HyperParameterTuningJobConfig.Strategy 'Hyperband' is not supported"),
        ({"TrainingJobEarlyStoppingType": "Auto"}, "TrainingJobEarlyStoppingType 'Auto' is not supported"),
        ({"ranges": {"CategoricalParameterRanges": []}}, "at least one range"),
        (
            {"ranges": {"ContinuousParameterRanges": [number("x", 2, 1)]}},
            "'x': MinValue 2 is above MaxValue 1",
        ),
        ({"ranges": {"IntegerParameterRanges": [number("x", 1.5, 2)]}}, "'x': MinValue must be an integer"),
        ({"ranges": {"ContinuousParameterRanges": [number("x", 0, 1, "Logarithmic")]}}, "MinValue above 0"),
        (
            {"ranges": {"IntegerParameterRanges": [number("x", 0, 1, "ReverseLogarithmic")]}},
            "continuous ranges",
        ),
        ({"static": {"x": "1"}}, "x: a hyperparameter is tuned or static, not both"),
        ({"strategy": "Grid"}, "Grid strategy takes CategoricalParameterRanges only"),
        ({"strategy": "Grid", "ranges": CATEGORIES}, "must be left out or be 2"),
        ({"jobs": 751}, "751; 750 training jobs are the most"),
        ({"training": {"ResourceConfig": {"InstanceCount": 101}}}, "ResourceConfig.InstanceCount 101 is not"),
        ({"HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "f1"}}, "'f1' is not in"),
        ({"static": {"sagemaker_program": ""}}, "ContainerEntrypoint is needed"),
    ],
)
def test_what_cannot_be_done_is_refused_by_name(
    tuning: Tuning, name: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ClientError) as raised:
        tuning.start(name, **options)
    assert message in raised.value.response["Error"]["Message"]
    assert raised.value.response["Error"]["Code"] == "ValidationException"


def test_warm_start_is_refused_by_name(tuning: Tuning, name: str) -> None:
    request = arguments("s3://b/k", "s3://b/o")
    parents = [{"HyperParameterTuningJobName": "earlier"}]
    warm = {"ParentHyperParameterTuningJobs": parents, "WarmStartType": "TransferLearning"}
    with pytest.raises(ClientError, match="WarmStartConfig is not supported by local-sagemaker"):
        tuning.client.create_hyper_parameter_tuning_job(
            HyperParameterTuningJobName=name, WarmStartConfig=warm, **request
        )
