"""The retraining pipeline: configuration -> chained steps -> one SageMaker pipeline.

`retrain definition` compiles it, `retrain run` upserts and starts it. conf/pipeline.yaml has the steps and
their order; retraining.compile.steps turns each into a step of the SDK.
"""

from itertools import pairwise
from typing import Any

from retraining import STEP_CLASSES, Build


def pipeline(build: Build) -> Any:
    """The project's pipeline, a ``sagemaker.mlops.workflow.pipeline.Pipeline``."""
    from sagemaker.core.workflow.execution_variables import ExecutionVariables
    from sagemaker.core.workflow.pipeline_definition_config import PipelineDefinitionConfig
    from sagemaker.mlops.workflow.pipeline import Pipeline
    from sagemaker.mlops.workflow.pipeline_experiment_config import PipelineExperimentConfig

    configuration, dag = build.configuration, build.configuration.dag
    for name, step in configuration.steps.items():
        build.steps[name] = STEP_CLASSES[step.step_class](build, step)

    # `a >> b` is a dependency; after a condition, b is one of the steps that run where it holds.
    for chain in configuration.pipeline.chains:
        for before, after in pairwise(chain):
            if configuration.steps[before].step_class != "Condition":
                build.steps[after].add_depends_on([build.steps[before]])
    top: list[Any] = []
    for name, step in build.steps.items():
        if name in dag.otherwise.values():
            continue  # a Fail step: its condition has it already
        condition = dag.branch[name]
        siblings = build.steps[condition].if_steps if condition else top
        siblings += [*build.generated.get(name, []), step]

    return Pipeline(
        name=configuration.pipeline.pipelineName,
        parameters=list(build.parameters.values()),
        pipeline_experiment_config=PipelineExperimentConfig(
            configuration.pipeline.pipelineName, ExecutionVariables.PIPELINE_EXECUTION_ID
        ),
        steps=top,
        # Jobs are called <base_job_name>-<execution>-..., not pipelines-<execution>-<step>-...
        pipeline_definition_config=PipelineDefinitionConfig(use_custom_job_prefix=True),
        sagemaker_session=build.session,
    )


if __name__ == "__main__":
    raise SystemExit("pipeline.py is run by the command: .venv/bin/retrain run")
