"""Selective execution: some steps run, the others' results come from an earlier execution.

Source: Amazon SageMaker Developer Guide, "Selective execution of pipeline steps", and the API reference of
SelectiveExecutionConfig: the selected steps are connected (all steps in all paths between two of them are
selected too); the reference is an execution of the same pipeline that has ended; steps after the selected
ones do not run.
"""

from local_sagemaker.core.errors import NotFound, ValidationError
from local_sagemaker.core.store import Document, Store
from local_sagemaker.definition.parse import Definition
from local_sagemaker.engine.scheduler import SKIPPED, SUCCEEDED


def select(store: Store, definition: Definition, execution: Document) -> list[Document]:
    """The records that an execution takes over from the one its SelectiveExecutionConfig names.

    Those are the steps that selected steps depend on without being selected themselves; [] when
    the execution runs everything. Raises NotFound for an execution that is not there and
    ValidationError for a step that does not exist, a gap between selected steps, an execution of
    another pipeline or one that has not ended, or a step that has no result to take over.
    """
    selected = _selected(definition, execution)
    if selected is None:
        return []
    needed = _needed(definition, selected)
    for name in needed:
        if before := _before(definition, name) & selected:
            raise ValidationError(
                f"SelectedSteps: step '{name}' is between '{min(before)}' and a later selected step:"
                " select it too"
            )
    source = execution["SelectiveExecutionConfig"].get("SourcePipelineExecutionArn")
    if source is not None:
        _check_source(store, source, execution)
    elif needed:
        raise ValidationError(
            f"Invalid SourcePipelineExecutionArn: null. The selected steps [{', '.join(sorted(selected))}]"
            f" have dependencies on [{', '.join(sorted(needed))}]"
        )
    return [_take_over(store, source, execution, name) for name in sorted(needed)]


def states(definition: Definition, execution: Document) -> dict[str, str]:
    """How the steps that are not selected count: Succeeded when their results are needed, else Skipped."""
    selected = _selected(definition, execution)
    if selected is None:
        return {}
    needed = _needed(definition, selected)
    others = [name for name in definition.steps if name not in selected]
    return {name: SUCCEEDED if name in needed else SKIPPED for name in others}


def _selected(definition: Definition, execution: Document) -> set[str] | None:
    config = execution.get("SelectiveExecutionConfig")
    if config is None:
        return None
    names = [item["StepName"] for item in config["SelectedSteps"]]
    for name in names:
        if name not in definition.steps:
            known = ", ".join(definition.steps)
            raise ValidationError(f"SelectedSteps: there is no step '{name}'; there are: {known}")
    return set(names)


def _needed(definition: Definition, selected: set[str]) -> set[str]:
    needed = set()
    for name in selected:
        step = definition.steps[name]
        needed |= {*step.dependencies, *([step.parent] if step.parent else [])}
    return needed - selected


def _before(definition: Definition, name: str) -> set[str]:
    """All steps that must end before `name`."""
    earlier: set[str] = set()
    queue = [name]
    while queue:
        step = definition.steps[queue.pop()]
        new = {*step.dependencies, *([step.parent] if step.parent else [])} - earlier
        earlier |= new
        queue.extend(new)
    return earlier


def _check_source(store: Store, source: str, execution: Document) -> None:
    referenced = store.get("execution", source)
    if referenced is None:
        raise NotFound(f"Pipeline execution '{source}' does not exist.")
    if referenced["PipelineArn"] != execution["PipelineArn"]:
        raise ValidationError(
            f"Invalid SourcePipelineExecutionArn: {source} is an execution of another pipeline than"
            f" {execution['PipelineArn']}"
        )
    status = referenced["PipelineExecutionStatus"]
    if status in ("Executing", "Stopping"):
        raise ValidationError(f"Invalid SourcePipelineExecutionArn: {source} is {status}: it must have ended")


def _take_over(store: Store, source: str, execution: Document, name: str) -> Document:
    record = store.get("step", f"{source}/{name}")
    if record is None or record["StepStatus"] != SUCCEEDED:
        status = record["StepStatus"] if record else "not run"
        raise ValidationError(
            f"the results of step '{name}' are needed, and in {source} it is {status}: select it too,"
            " or name an execution in which it succeeded"
        )
    return {
        **record,
        "PipelineExecutionArn": execution["PipelineExecutionArn"],
        "SelectiveExecutionResult": {"SourcePipelineExecutionArn": source},
    }
