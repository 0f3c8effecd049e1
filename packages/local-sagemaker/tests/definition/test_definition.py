"""Definitions: which are accepted, and what is said about the others."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pipelines_to_run import definition as text_of
from pipelines_to_run import processing, step, training

from local_sagemaker.core import wire
from local_sagemaker.core.errors import ValidationError
from local_sagemaker.definition import cache, parameters, parse, retrying
from local_sagemaker.engine import scheduler


def refused(text: str) -> str:
    with pytest.raises(ValidationError) as caught:
        parse.parse(text)
    message = caught.value.message
    assert message.startswith("Unable to parse pipeline definition: ")
    assert "\n" not in message
    return message


def job(name: str, **members: Any) -> dict[str, Any]:
    return step(name, "Processing", processing("true"), **members)


def fail(name: str, message: Any = "no", **members: Any) -> dict[str, Any]:
    return step(name, "Fail", {"ErrorMessage": message}, **members)


def condition(name: str, left: Any, if_steps: list[Any], else_steps: list[Any]) -> dict[str, Any]:
    test = {"Type": "Equals", "LeftValue": left, "RightValue": 1}
    return step(name, "Condition", {"Conditions": [test], "IfSteps": if_steps, "ElseSteps": else_steps})


def test_steps_inside_conditions_know_their_branch() -> None:
    inner = condition("Inner", 1, [job("Deep")], [])
    parsed = parse.parse(text_of(condition("Outer", 1, [inner], [fail("No")])))
    assert {name: (s.parent, s.branch) for name, s in parsed.steps.items()} == {
        "Outer": (None, None),
        "Inner": ("Outer", "True"),
        "Deep": ("Inner", "True"),
        "No": ("Outer", "False"),
    }


def test_dependencies_are_explicit_and_implicit() -> None:
    uses = {"Get": "Steps.A.ProcessingJobStatus"}
    last = fail(
        "C", {"Std:Join": {"On": "", "Values": [uses]}}, DependsOn=["B", {"Step": "A", "Trigger": "Failed"}]
    )
    parsed = parse.parse(text_of(job("A"), job("B"), last))
    assert parsed.steps["C"].dependencies == {"A": "Failed", "B": "Completed"}


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("{", "it is not JSON"),
        ("[]", "JSON object"),
        (json.dumps({"Version": "2020-12-01", "Steps": []}), "at least one step"),
        (json.dumps({"Version": "1", "Steps": [fail("F")]}), "Version must be '2020-12-01'"),
        (text_of(fail("F"), Stepps=[]), "unknown members: Stepps"),
        (text_of(fail("F"), PipelineExperimentConfig={"Name": "x"}), "PipelineExperimentConfig"),
        (text_of(fail("F"), PipelineExperimentConfig={"TrialName": {"Get": "Parameters.no"}}), "'no'"),
        (text_of(fail("")), "a step's Name must match"),
        (text_of(fail("a b")), "a step's Name must match"),
        (text_of(fail("F"), fail("F")), "Step 'F' is defined twice"),
        (text_of(condition("C", 1, [fail("C")], [])), "Step 'C' is defined twice"),
        (text_of(step("T", "Callback", {})), "Step 'T': steps of type 'Callback' are not run"),
        (
            text_of(fail("F", CacheConfig={"Enabled": True})),
            "Step 'F': a Fail step has no member CacheConfig",
        ),
        (text_of(step("F", "Fail", {"Message": "x"})), "ErrorMessage"),
        (text_of(job("P", DependsOn=["Q"])), "Step 'P': it depends on step 'Q', which does not exist"),
        (text_of(job("P", DependsOn=[{"Step": "P", "Trigger": "Done"}])), "Completed, Failed, Stopped, Any"),
        (text_of(job("P", DependsOn=["P"])), "in a circle: P -> P"),
        (text_of(job("A", DependsOn=["B"]), job("B", DependsOn=["A"])), "in a circle: A -> B -> A"),
        (
            text_of(condition("C", {"Get": "Steps.In.Outcome"}, [condition("In", 1, [], [])], [])),
            "in a circle",
        ),
        (text_of(fail("F", {"Get": "Parameters.p"})), "'Parameters.p' refers to 'p', which does not exist"),
        (text_of(fail("F", {"Get": "Execution.Name"})), "known: CurrentDateTime"),
        (text_of(fail("F", {"Get": "Steps.X.y"})), "'X', which does not exist"),
        (text_of(job("P"), fail("F", {"Get": "Steps.P.ModelArtifacts"})), "has no 'ModelArtifacts'"),
        (text_of(job("P"), fail("F", {"Get": "Steps.P.ProcessingJobArn.x"})), "'x' is inside a string"),
        (text_of(job("P"), fail("F", {"Get": "Steps.P.PropertyFiles.R"})), "it has: none"),
        (text_of(condition("C", 1, [], []), fail("F", {"Get": "Steps.C.Result"})), "it has: Outcome"),
        (text_of(fail("E"), fail("F", {"Get": "Steps.E.ErrorMessage"})), "a Fail step has no property"),
        (text_of(fail("F", {"Std:Max": [1]})), "'Std:Max' is unknown"),
        (text_of(step("C", "Condition", {"Conditions": []})), "at least one condition"),
        (
            text_of(step("C", "Condition", {"Conditions": [{"Type": "Like"}]})),
            "condition type 'Like' is unknown",
        ),
        (text_of(job("P", CacheConfig={"Enabled": "yes"})), "CacheConfig needs Enabled"),
        (
            text_of(job("P", CacheConfig={"Enabled": True, "ExpireAfter": "soon"})),
            "ExpireAfter must be a duration",
        ),
        (
            text_of(job("P", RetryPolicies=[{"ExceptionType": ["Step.ODD"], "MaxAttempts": 1}])),
            "ExceptionType",
        ),
        (
            text_of(job("P", PropertyFiles=[{"PropertyFileName": "R", "OutputName": "o", "FilePath": "f"}])),
            "it has: none",
        ),
        (text_of(step("L", "Lambda", {})), "FunctionArn must be a text"),
        (
            text_of(step("P", "Processing", {"RoleArn": "x"})),
            "'appSpecification' failed to satisfy constraint",
        ),
        (text_of(step("P", "Processing", processing("true", Volume=1))), "Unknown member 'Volume'"),
        (text_of(step("T", "Training", training("true", "here"))), "at 'outputDataConfig.s3OutputPath'"),
        (
            text_of(step("T", "Training", training("true", "s3://b/o", HyperParameters={"epochs": 3}))),
            "Value '3' at 'hyperParameters.epochs' failed to satisfy constraint: Member must be of type S",
        ),
    ],
)
def test_refused(text: str, part: str) -> None:
    assert part in refused(text)


def every_place(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = list(value.items()) if isinstance(value, dict) else []
    inner = list(enumerate(value)) if isinstance(value, list) else inner
    return [path, *(place for key, item in inner for place in every_place(item, (*path, key)))]


def complete() -> dict[str, Any]:
    """A definition with something of everything."""
    files = [{"PropertyFileName": "R", "OutputName": "o", "FilePath": "x.json"}]
    policies = [{"ExceptionType": ["Step.THROTTLING"], "MaxAttempts": 1}]
    cached = {"Enabled": True, "ExpireAfter": "P1D"}
    first = step("S", "Processing", processing("true", {"o": "s3://b/x"}), PropertyFiles=files)
    outputs = [{"OutputName": "a", "OutputType": "String"}]
    call = step("L", "Lambda", {"a": 1}, FunctionArn="f", OutputParameters=outputs)
    train = step("T", "Training", training("true", "s3://b/x"), CacheConfig=cached, RetryPolicies=policies)
    register = step("M", "RegisterModel", {"ModelPackageGroupName": "g"})
    gate = condition("C", {"Get": "Steps.L.OutputParameters['a']"}, [fail("F")], [])
    inner = {"Type": "Not", "Condition": {"Type": "In", "QueryValue": 1, "Values": [1]}}
    gate["Arguments"]["Conditions"].append({"Type": "Or", "Conditions": [inner]})
    gate["DependsOn"] = ["S", {"Step": "T", "Trigger": "Failed"}]
    declared = [{"Name": "A", "Type": "String", "DefaultValue": "x", "EnumValues": ["x"]}]
    document: dict[str, Any] = json.loads(
        text_of(
            *(first, call, train, register, gate),
            Parameters=declared,
            PipelineExperimentConfig={"ExperimentName": "a"},
        )
    )
    return document


@pytest.mark.parametrize(
    "odd",
    [
        *(None, True, 1, 1.5, "", "ü\0", [], {}, [[]], [{}], ["x"], {"x": []}, 10**400, -1),
        *({"Get": 1}, {"Get": "Parameters.A"}, {"Get": "Steps.S[0].a"}, {"Std:Nope": 1}, {"Std:Join": 1}),
        {"Std:JsonGet": {"S3Uri": [], "Path": "a"}},
        {"Std:JsonGet": {"PropertyFile": {}, "Path": "a"}},
    ],
    ids=lambda odd: repr(odd)[:40],
)
def test_an_odd_value_anywhere_is_accepted_or_refused_in_one_line(odd: Any) -> None:
    """Never another exception than ValidationError, whatever stands wherever."""
    places = every_place(complete())
    parse.parse(json.dumps(complete()))
    messages = []
    for *path, last in places[1:]:
        document = complete()
        holder: Any = document
        for key in path:
            holder = holder[key]
        holder[last] = odd
        try:
            parse.parse(json.dumps(document))
        except ValidationError as error:
            messages.append(error.message)
    assert len(messages) > len(places) / 5
    assert not [message for message in messages if not message.startswith("Unable to parse")]


@pytest.mark.parametrize("levels", [150, 900, 100_000])
def test_definitions_that_are_nested_too_deeply(levels: int) -> None:
    deep = "[" * levels + "]" * levels
    assert "nested deeper than 100 levels" in refused(deep)
    call = json.dumps(step("L", "Lambda", {"a": "DEEP"}, FunctionArn="f")).replace('"DEEP"', deep)
    assert "nested deeper than 100 levels" in refused(f'{{"Version": "2020-12-01", "Steps": [{call}]}}')


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_json_does_not_have(number: str) -> None:
    assert f"{number} is not a number" in refused(f'{{"Version": {number}}}')


def test_outputs_that_are_known_only_later() -> None:
    for name in ({"Get": "Parameters.A"}, "o"):
        document = complete()
        document["Steps"][0]["Arguments"]["ProcessingOutputConfig"]["Outputs"][0]["OutputName"] = name
        parse.parse(json.dumps(document))


def test_null_members_count_as_absent() -> None:
    arguments = processing("true", Environment=None)
    parsed = parse.parse(
        text_of(step("P", "Processing", arguments), MlflowConfig=None, PipelineExperimentConfig=None)
    )
    assert "Environment" not in parsed.steps["P"].arguments


def test_expressions_stand_for_values_of_any_type() -> None:
    arguments = processing("true", StoppingCondition={"MaxRuntimeInSeconds": {"Get": "Parameters.n"}})
    declared = [{"Name": "n", "Type": "Integer", "DefaultValue": 60}]
    parse.parse(text_of(step("P", "Processing", arguments), Parameters=declared))


DECLARED = parameters.parse(
    [
        {"Name": "text", "Type": "String", "DefaultValue": "a"},
        {"Name": "color", "Type": "String", "DefaultValue": "red", "EnumValues": ["red", "blue"]},
        {"Name": "count", "Type": "Integer", "DefaultValue": 3},
        {"Name": "rate", "Type": "Float", "DefaultValue": 1},
        {"Name": "flag", "Type": "Boolean", "DefaultValue": False},
        {"Name": "must", "Type": "Integer"},
    ]
)


def given_values(**texts: str) -> list[dict[str, str]]:
    return [{"Name": name, "Value": text} for name, text in texts.items()]


def test_parameters_are_read_by_their_type() -> None:
    values = parameters.values(
        DECLARED, given_values(text="7", count="-4", rate="1e-3", flag="True", must="0")
    )
    assert values == {"text": "7", "color": "red", "count": -4, "rate": 0.001, "flag": True, "must": 0}
    assert isinstance(parameters.values(DECLARED, given_values(must="1"))["rate"], float)


@pytest.mark.parametrize(
    ("texts", "parts"),
    [
        ({}, ["'must' (Integer)", "no default value"]),
        ({"must": "1.5"}, ["'must'", "Integer", "'1.5'"]),
        ({"must": "1_0"}, ["'must'", "Integer", "'1_0'"]),
        ({"must": "1", "rate": "nan"}, ["'rate'", "Float", "'nan'"]),
        ({"must": "1", "flag": "1"}, ["'flag'", "Boolean", "'1'"]),
        ({"must": "1", "color": "green"}, ["'color' (String)", "'green'", "red, blue"]),
        ({"must": "1", "colour": "red"}, ["'colour' is not declared", "text, color"]),
    ],
)
def test_parameters_that_do_not_fit(texts: dict[str, str], parts: list[str]) -> None:
    with pytest.raises(ValidationError) as caught:
        parameters.values(DECLARED, given_values(**texts))
    for part in parts:
        assert part in caught.value.message


@pytest.mark.parametrize(
    "declaration",
    [
        None,
        {"Name": "a b", "Type": "String"},
        {"Name": "a", "Type": "Text"},
        {"Name": "a", "Type": "Integer", "DefaultValue": True},
        {"Name": "a", "Type": "Integer", "DefaultValue": "3"},
        {"Name": "a", "Type": "String", "DefaultValue": "x", "EnumValues": ["y"]},
        {"Name": "a", "Type": "String", "Default": "x"},
        {"Name": "a", "Type": "String", "EnumValues": [f"c{index}" for index in range(17)]},
    ],
)
def test_malformed_declarations(declaration: Any) -> None:
    with pytest.raises(ValidationError):
        parameters.parse([declaration])


@given(st.integers())
def test_any_integer_reads_back(value: int) -> None:
    assert DECLARED["count"].coerce(str(value)) == value


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_any_float_reads_back(value: float) -> None:
    assert DECLARED["rate"].coerce(str(value)) == value


def test_what_a_cache_key_looks_at() -> None:
    base = processing("true", {"o": "s3://b/o"}, ProcessingJobName="a")
    same = processing("true", {"o": "s3://b/other"}, ProcessingJobName="b")
    assert cache.key("Processing", base) == cache.key("Processing", same)
    for other in (processing("false"), processing("true", Environment={"A": "1"})):
        assert cache.key("Processing", base) != cache.key("Processing", other)


def test_retries() -> None:
    policies = [
        {
            "ExceptionType": [retrying.CAPACITY_ERROR],
            "MaxAttempts": 2,
            "IntervalSeconds": 3,
            "BackoffRate": 2.0,
        },
        {"ExceptionType": [retrying.INTERNAL_ERROR], "ExpireAfterMin": 1, "BackoffRate": 1.0},
    ]
    retrying.check(policies)
    delays = [retrying.delay(policies, retrying.CAPACITY_ERROR, retries, 0) for retries in range(3)]
    assert delays == [3, 6, None]
    assert retrying.delay(policies, retrying.INTERNAL_ERROR, 50, 58) == 1
    assert retrying.delay(policies, retrying.INTERNAL_ERROR, 50, 60) is None
    assert retrying.delay(policies, None, 0, 0) is None
    assert retrying.kind_of("CapacityError: none left") == retrying.CAPACITY_ERROR
    assert retrying.kind_of("AlgorithmError: InternalServerError") is None


def every_pattern() -> set[str]:
    shapes = (wire.model().shape_for(name) for name in wire.model().shape_names)
    return {shape.metadata["pattern"] for shape in shapes if "pattern" in shape.metadata}


def test_every_pattern_of_the_model_is_understood() -> None:
    patterns = every_pattern()
    assert any("\\p{" in pattern for pattern in patterns)
    for pattern in patterns:
        wire._pattern(pattern)


@pytest.mark.parametrize(("value", "holds"), [("Größe @ 1/2", True), ("a*b", False), ("a\nb", False)])
def test_unicode_categories(value: str, holds: bool) -> None:
    problems = list(wire.check(wire.model().shape_for("TagValue"), value, "v"))
    assert (not problems) is holds


STATES = ["Succeeded", "Failed", "Stopped"]


@st.composite
def graphs(draw: st.DrawFn) -> str:
    """Definitions of up to eight steps that depend on earlier ones, some of them conditions."""
    steps: list[dict[str, Any]] = []
    for index in range(draw(st.integers(1, 8))):
        earlier = [item["Name"] for item in steps]
        depends = [
            draw(
                st.sampled_from(
                    [name, *({"Step": name, "Trigger": t} for t in ("Completed", "Failed", "Stopped", "Any"))]
                )
            )
            for name in (draw(st.lists(st.sampled_from(earlier), unique=True)) if earlier else [])
        ]
        if draw(st.booleans()):
            made = job(f"J{index}", DependsOn=depends)
        else:
            branches = [job(f"I{index}")], [job(f"E{index}")]
            made = {**condition(f"C{index}", 1, *branches), "DependsOn": depends}
        steps.append(made)
    return text_of(*steps)


@given(graphs(), st.data())
def test_every_walk_ends_and_starts_only_what_it_may(text: str, data: st.DataObject) -> None:
    steps = parse.parse(text).steps
    states: dict[str, str] = {}
    outcomes: dict[str, str] = {}
    running: list[str] = []
    while True:
        for name in scheduler.advance(steps, states, outcomes):
            parent = steps[name].parent
            assert parent is None or (
                states[parent] == "Succeeded" and outcomes[parent] == steps[name].branch
            )
            for other, trigger in steps[name].dependencies.items():
                wanted = {"Completed": ["Succeeded"], "Any": STATES}.get(trigger, [trigger])
                assert states[other] in wanted
            states[name] = "Executing"
            running.append(name)
        if not running:
            break
        ended = running.pop(data.draw(st.integers(0, len(running) - 1)))
        states[ended] = data.draw(st.sampled_from(STATES))
        outcomes[ended] = data.draw(st.sampled_from(["True", "False"]))
    assert set(states) == set(steps)
    status = scheduler.result(steps, states)
    if set(states.values()) <= {"Succeeded", "Skipped"}:
        assert status == "Succeeded"
    else:
        assert status in ("Failed", "Stopped", "CompletedWithFailures")
