"""Checks of conditions, of what follows them, and of Fail steps."""

from retraining.config.checks.model import written
from retraining.config.checks.step_problems import StepProblems
from retraining.config.flow import chaining, order
from retraining.config.schema.pipeline import Pipeline, Step
from retraining.errors import suggestion_or_all

_STEP_NAME = 64


def check_else(steps: StepProblems, step: Step) -> None:
    """`else_step` names a Fail step that no other condition names."""
    by_name = steps.pipeline.by_name
    other = by_name.get(str(step.else_step))
    fails = [name for name, (_, item) in by_name.items() if item.step_class == "Fail"]
    key = "else_step"
    if step.step_class != "Condition":
        steps.add(step, key, "only a Condition step has an else step: leave it out")
    elif other is None:
        steps.add(step, key, f"no step {step.else_step!r}{suggestion_or_all(step.else_step, fails)}")
    elif other[1].step_class != "Fail":
        steps.add(step, key, f"{step.else_step!r} is a {other[1].step_class} step: name a Fail step")
    elif step.else_step in steps.disabled and step.step_name not in steps.disabled:
        steps.add(step, key, f"{step.else_step!r} is disabled: leave it out, or disable this step too")
    else:
        others = [
            item
            for _, item in by_name.values()
            if item.else_step == step.else_step and item.step_class == "Condition"
        ]
        if others[0].step_name != step.step_name:
            steps.add(step, key, f"{others[0].step_name!r} names {step.else_step!r} too: add a Fail step")


def check_generated_names(steps: StepProblems) -> None:
    """Steps that are made for those of the files have names of their own."""
    by_name = steps.pipeline.by_name
    for name, (model_name, step) in by_name.items():
        model = steps.models.get(model_name)
        generated = []
        if step.step_class == "Condition":
            generated += [] if step.else_step else [step.own_fail_step]
            generated += [step.champion_step] if model and model.gate and model.gate.champion else []
        if step.takes_model and model and model.registry:
            trained = order.trained_by(steps.pipeline, model_name, step)
            generated += [trained.repack_step] if trained and model.registry.ModelRepack else []
        for other in generated:
            if other in by_name:
                words = f"step {name!r} makes a step of this name: choose another"
                steps.add(by_name[other][1], "step_name", words)
            elif len(other) > _STEP_NAME:
                words = f"a step {other!r} is made for it, and a name has at most {_STEP_NAME} characters"
                steps.add(step, "step_name", words)


def check_fail(steps: StepProblems, graph: order.Dag, name: str) -> None:
    """A Fail step follows a condition, and nothing follows it."""
    step = graph.steps[name]
    after = [other for other, before in graph.before.items() if name in before]
    if after:
        steps.add(step, "step_class", f"nothing can follow a Fail step: take {after[0]!r} out of its chain")
    if name in graph.otherwise.values():
        if graph.before[name]:
            words = "it is the else_step of a condition: take it out of dependencies"
            steps.add(step, "step_class", words)
    elif graph.branch[name] is None:
        words = "no condition leads to it, so every execution would fail: name it as else_step, or disable it"
        steps.add(step, "step_class", words)


def check_gate_reads(steps: StepProblems, pipeline: Pipeline, step: Step) -> None:
    """The chained step writes what the gate reads."""
    model_name, _ = pipeline.by_name[step.step_name]
    source_model, source = pipeline.by_name[step.chain_input_source_step[0]]
    model = steps.models[model_name]
    if source_model != model_name:
        words = f"a gate reads what its own model has measured, not a step of model {source_model!r}"
        steps.add(step, "chain_input_source_step", words)
        return
    outputs = chaining.outputs_of(model, source)
    known = [*written(model.evaluate), *written(model.preprocess)]
    # An output that no section of the model writes is reported there.
    if model.gate is not None and model.gate.output not in outputs and model.gate.output in known:
        listed = ", ".join(outputs) or "nothing"
        words = f"its gate reads the output {model.gate.output!r}, but {source.step_name} writes {listed}"
        steps.add(step, "chain_input_source_step", words)


def check_gated(steps: StepProblems, graph: order.Dag, name: str) -> None:
    """Where a model has a quality gate, no registration of it gets around the gate."""
    model_name = graph.models[name]
    gates = [
        gate
        for gate, step in graph.steps.items()
        if step.step_class == "Condition" and graph.models[gate] == model_name
    ]
    if gates and graph.branch[name] not in graph.steps:
        words = f"step {name!r} must follow the gate: write `{gates[-1]} >> {name}` in dependencies"
        steps.problems.add(steps.keys[name], words)


def check_gate_runs(steps: StepProblems, pipeline: Pipeline, model_name: str) -> None:
    """A gate that no step runs would let every model pass."""
    classes = {step.step_class for step in pipeline.models[model_name].steps}
    has_gate = steps.models[model_name].gate is not None
    if has_gate and classes & {"RegisterModel", "Lambda"} and "Condition" not in classes:
        words = "but no Condition step runs it: add one, or take the section out"
        key = ("conf", "models", model_name, "gate")
        steps.problems.add(key, f"model {model_name!r} has a gate, {words}")
