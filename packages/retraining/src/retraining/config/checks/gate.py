"""Conditions, what follows them, and Fail steps: what they must keep."""

from retraining.config.checks import model as unit_checks
from retraining.config.checks.problems import PlacedSteps
from retraining.config.flow import chaining, order
from retraining.config.schema.pipeline import Pipeline, Step
from retraining.nearest import nearest

_STEP_NAME = 64


def check_else(found: PlacedSteps, step: Step) -> None:
    """`else_step` names a Fail step that no other condition names."""
    other = found.pipeline.by_name.get(str(step.else_step))
    fails = [name for name, (_, item) in found.pipeline.by_name.items() if item.step_class == "Fail"]
    if step.step_class != "Condition":
        found.at(step, "else_step", "only a Condition step has another way: leave it out")
    elif other is None:
        found.at(step, "else_step", f"no step {step.else_step!r}{nearest(str(step.else_step), fails)}")
    elif other[1].step_class != "Fail":
        found.at(step, "else_step", f"{step.else_step!r} is a {other[1].step_class} step: name a Fail step")
    elif step.else_step in found.disabled and step.step_name not in found.disabled:
        found.at(step, "else_step", f"{step.else_step!r} is disabled: leave it out, or disable this step too")
    else:
        others = [
            item
            for _, item in found.pipeline.by_name.values()
            if item.else_step == step.else_step and item.step_class == "Condition"
        ]
        if others[0].step_name != step.step_name:
            found.at(
                step, "else_step", f"{others[0].step_name!r} names {step.else_step!r} too: add a Fail step"
            )


def check_generated_names(found: PlacedSteps) -> None:
    """Steps that are made beside those of the files have names of their own."""
    names = found.pipeline.by_name
    for name, (model, step) in names.items():
        unit = found.units.get(model)
        made = []
        if step.step_class == "Condition":
            made += [] if step.else_step else [f"{name}Failed"]
            made += [f"{name}Champion"] if unit and unit.gate and unit.gate.champion else []
        if step.step_class in ("CreateModel", "RegisterModel") and unit and unit.registry:
            trained = order.trained_by(found.pipeline, model, step)
            made += [f"{trained.step_name}-RepackModel"] if trained and unit.registry.ModelRepack else []
        for other in made:
            if other in names:
                found.at(
                    names[other][1], "step_name", f"step {name!r} makes a step of this name: choose another"
                )
            elif len(other) > _STEP_NAME:
                words = f"a step {other!r} is made beside it, and a name has at most {_STEP_NAME} characters"
                found.at(step, "step_name", words)


def check_fail(found: PlacedSteps, graph: order.Dag, name: str) -> None:
    """A Fail step stands behind a condition, and nothing stands behind it."""
    step = graph.steps[name]
    after = [other for other, before in graph.before.items() if name in before]
    if after:
        found.at(step, "step_class", f"nothing can follow a Fail step: take {after[0]!r} out of its chain")
    if name in graph.otherwise.values():
        if graph.before[name]:
            found.at(step, "step_class", "it is the else_step of a condition: take it out of dependencies")
    elif graph.branch[name] is None:
        words = "no condition leads to it, so each execution would fail: name it as else_step, or disable it"
        found.at(step, "step_class", words)


def check_gate_reads(found: PlacedSteps, pipeline: Pipeline, step: Step) -> None:
    """The chained step writes what the gate reads."""
    model, _ = pipeline.by_name[step.step_name]
    source_model, source = pipeline.by_name[step.chain_input_source_step[0]]
    gate = found.units[model].gate
    if source_model != model:
        words = f"a gate reads what its own model has measured, not a step of model {source_model!r}"
        found.at(step, "chain_input_source_step", words)
        return
    unit = found.units[model]
    written = chaining.outputs_of(unit, source)
    known = [*unit_checks.written(unit.evaluate), *unit_checks.written(unit.preprocess)]
    # What no section of the unit writes is reported there.
    if gate is not None and gate.output not in written and gate.output in known:
        listed = ", ".join(written) or "nothing"
        found.at(
            step,
            "chain_input_source_step",
            f"its gate reads the output {gate.output!r}, but {source.step_name} writes {listed}",
        )


def check_gated(found: PlacedSteps, graph: order.Dag, name: str) -> None:
    """Where a model has a quality gate, no registration of it passes beside the gate."""
    model = graph.models[name]
    gates = [
        gate
        for gate, step in graph.steps.items()
        if step.step_class == "Condition" and graph.models[gate] == model
    ]
    if gates and graph.branch[name] not in graph.steps:
        found.add(
            found.places[name],
            f"step {name!r} must follow the gate: write `{gates[-1]} >> {name}` in dependencies",
        )


def check_gate_runs(found: PlacedSteps, pipeline: Pipeline, model: str) -> None:
    """A gate that no step runs would let every model pass."""
    classes = {step.step_class for step in pipeline.models[model].steps}
    if found.units[model].gate and classes & {"RegisterModel", "Lambda"} and "Condition" not in classes:
        words = "but no Condition step runs it: add one, or take the section out"
        found.add(("conf", "models", model, "gate"), f"model {model!r} has a gate, {words}")
