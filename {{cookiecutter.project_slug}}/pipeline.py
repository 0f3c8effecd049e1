"""The retraining pipeline: configuration -> chained steps -> one SageMaker pipeline.

`retrain definition` compiles it, `retrain run` upserts and starts it. The steps and their order stand in
models/*/conf.yaml; how a step class becomes a step of the SDK stands in retraining/steps.py.
"""

from itertools import pairwise
from typing import Any

from retraining.build import Build
from retraining.steps import STEP_CLASSES


def pipeline(build: Build) -> Any:
    """The project's pipeline, a ``sagemaker.mlops.workflow.pipeline.Pipeline``."""
    from sagemaker.core.workflow.execution_variables import ExecutionVariables
    from sagemaker.mlops.workflow.pipeline import Pipeline
    from sagemaker.mlops.workflow.pipeline_experiment_config import PipelineExperimentConfig

    configuration = build.configuration
    guarded: set[str] = set()
    for model, steps in configuration.pipeline.models.items():
        for step in steps.steps:
            build.steps[step.step_name] = STEP_CLASSES[step.step_class](
                build, step, configuration.units[model]
            )

    for chain in configuration.pipeline.chains:
        for before, after in pairwise(chain):
            if hasattr(build.steps[before], "if_steps"):
                if after not in guarded:
                    build.steps[before].if_steps.append(build.steps[after])
                guarded.add(after)
            else:
                build.steps[after].add_depends_on([build.steps[before]])

    return Pipeline(
        name=configuration.pipeline.pipelineName,
        parameters=list(build.parameters.values()),
        pipeline_experiment_config=PipelineExperimentConfig(
            configuration.pipeline.pipelineName, ExecutionVariables.PIPELINE_EXECUTION_ID
        ),
        steps=[step for name, step in build.steps.items() if name not in guarded],
        sagemaker_session=build.session,
    )


if __name__ == "__main__":
    raise SystemExit("pipeline.py is run by the command: .venv/bin/retrain run")
