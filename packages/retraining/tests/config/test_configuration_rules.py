"""What the sections, the steps and the names of a configuration must keep together."""

import json
from pathlib import Path

import boto3
import pytest
from configurations import CHURN, PROJECT, TUNED, edit, lines_of, make
from projects import TEMPLATE

from retraining.compile.definition import compile_pipeline
from retraining.config import configuration
from retraining.config.flow import images
from retraining.config.schema import regions
from retraining.config.schema.project import VARIABLES
from retraining.errors import UserError
from retraining.runs import arguments

PIPELINE = TEMPLATE / "pipeline.py"
MACHINE = "instance_type: {parameter: MachineType, default: ml.m5.xlarge}"
IMAGE = "image_uri: pytorch-training:2.0.0-cpu-py310"
VARIABLE = "env: {parameter: A, default: b}\n        "
FILE = """
        channels: {a: {s3BucketName: abc, dataFiles: [{fileName: {parameter: F, default: x}}]}}"""
CODE = "inputLocalFilepath: /opt/ml/processing/input/code\n        "
OUTSIDE = "inputLocalFilepath: /opt/ml/../etc\n        "
REGISTRY = """\
      registry:
        model_package_group: churn
        InferenceSpecification:
          image_uri: pytorch-inference:2.0.0-cpu-py310
          supported_content_types: [text/csv]
          supported_response_MIME_types: [application/json]
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(make(tmp_path))
    (tmp_path / "pipeline.py").write_text(PIPELINE.read_text())
    return tmp_path


def without_gate(root: Path) -> None:
    """Without the section gate, and without the steps that need it."""
    text = (root / CHURN).read_text()
    start, end = text.index("      gate:\n"), text.index("      lambda:\n")
    lines = (text[:start] + text[end:]).splitlines(keepends=True)
    kept = "".join(line for line in lines if "step_name: Gate" not in line and "step_name: Stop" not in line)
    (root / CHURN).write_text(kept.replace("Gate >> ", ""))


def said(root: Path) -> list[str]:
    """The lines of the error without their places."""
    return [line.partition(": ")[2] for line in lines_of(root)]


def test_a_section_that_no_step_runs_is_noted_and_its_parameters_are_not_asked_for(root: Path) -> None:
    edit(root, CHURN, "{step_name: Search, step_class: Tuning}", "{step_name: Search, step_class: Training}")
    edit(root, TUNED, "max_jobs: 4", "max_jobs: {parameter: Tries, default: 4}")
    loaded = configuration.load(root)
    assert loaded.notes == ("model 'tuned' has a section tune, but no step runs it",)
    assert list(loaded.parameters) == ["MachineType", "Folds", "Epochs", "MinimumRecall"]


def test_an_image_beside_that_of_the_registry_is_noted(root: Path) -> None:
    other = "image_uri: 111122223333.dkr.ecr.eu-west-1.amazonaws.com/serving:1"
    edit(root, CHURN, "entry_point: inference.py", f"entry_point: inference.py\n        {other}")
    words = "transform.image_uri serves in CreateModel steps, and registry registers another image"
    assert configuration.load(root).notes == (f"model 'churn': {words}",)


@pytest.mark.parametrize("words", ["see serving/Dockerfile, built first", "to-be-built/serving"])
def test_words_in_the_place_of_the_serving_image_are_noted(root: Path, words: str) -> None:
    edit(root, CHURN, "entry_point: inference.py", f"entry_point: inference.py\n        image_uri: {words!r}")
    loaded = configuration.load(root)
    noted = f"transform.image_uri is not an image ({words!r}): CreateModel steps serve with registry's"
    assert loaded.notes == (f"model 'churn': {noted}",)
    model = loaded.models["churn"]
    assert model.registry
    assert (
        images.served(model.transform, model.registry)[0] == model.registry.InferenceSpecification.image_uri
    )


def test_parameters_of_disabled_steps_are_not_asked_for(root: Path) -> None:
    edit(
        root,
        CHURN,
        "      hyperparams: {epochs",
        "      env: {A: {parameter: Unread, default: b}}\n        hyperparams: {epochs",
    )
    assert "Unread" in configuration.load(root).parameters
    for step in ("Train", "Create", "Predict", "Measure", "Gate", "Stop", "Register", "Tell"):
        edit(root, CHURN, f"step_name: {step},", f"step_name: {step}, disabled: true,")
    assert list(configuration.load(root).parameters) == ["MachineType", "Folds"]


def test_a_lambda_step_reads_the_hyperparameters(root: Path) -> None:
    for step in ("Prepare", "Train", "Create", "Predict", "Measure", "Register"):
        edit(root, CHURN, f"step_name: {step},", f"step_name: {step}, disabled: true,")
    without_gate(root)
    assert list(configuration.load(root).parameters) == ["Epochs"]


def test_a_gate_that_no_step_runs_is_refused(root: Path) -> None:
    edit(root, CHURN, "step_name: Gate,", "step_name: Gate, disabled: true,")
    edit(root, CHURN, "step_name: Stop,", "step_name: Stop, disabled: true,")
    words = "but no Condition step runs it: add one, or take the section out"
    assert said(root) == [f"conf.models.churn.gate: model 'churn' has a gate, {words}"]


@pytest.mark.parametrize(
    ("step", "needing"), [("Train", "CreateModel"), ("Create", "Transform"), ("Train", "Lambda")]
)
def test_what_a_step_needs_must_not_be_disabled(root: Path, step: str, needing: str) -> None:
    edit(root, CHURN, f"step_name: {step},", f"step_name: {step}, disabled: true,")
    lines = [line for line in said(root) if f"a {needing} step needs" in line]
    assert len(lines) == 1
    assert lines[0].endswith("of model 'churn' that is not disabled")


def test_an_evaluation_may_be_a_processing_step(root: Path) -> None:
    edit(root, CHURN, "step_class: Metrics,", "step_class: Processing, step_type: evaluate,")
    edit(root, CHURN, "model_package_group: churn", "model_quality: {output: report, file: a.json}")
    compiled = json.loads(compile_pipeline(configuration.load(root)).text)
    gate = next(step for step in compiled["Steps"] if step["Name"] == "Gate")
    register = next(step for step in gate["Arguments"]["IfSteps"] if "Register" in step["Name"])
    quality = register["Arguments"]["model_quality"]["S3Uri"]
    assert "Steps.Measure." in json.dumps(quality)


def test_model_quality_needs_a_step_that_measures(root: Path) -> None:
    edit(root, CHURN, "model_package_group: churn", "model_quality: {output: report, file: a.json}")
    edit(root, CHURN, "step_name: Measure,", "step_name: Measure, disabled: true,")
    without_gate(root)
    words = "no step runs the section evaluate of model 'churn': add one, or leave it out"
    assert said(root) == [f"conf.models.churn.registry.model_quality: {words}"]


def test_model_quality_is_an_output_of_the_evaluation(root: Path) -> None:
    edit(root, CHURN, "model_package_group: churn", "model_quality: {output: features, file: a.json}")
    words = "no output 'features' of the section evaluate; known: report"
    assert said(root) == [f"conf.models.churn.registry.model_quality.output: {words}"]


def test_two_models_share_no_group_and_no_name(root: Path) -> None:
    edit(root, TUNED, "      tune:\n", f"{REGISTRY}      tune:\n")
    edit(root, TUNED, "source_directory: models/tuned", "source_directory: models/tuned\n      name: m")
    edit(root, CHURN, "source_directory: models/churn", "source_directory: models/churn\n      name: m")
    assert sorted(said(root)) == [
        "conf.models.tuned.name: model 'churn' has the name 'm' too: give each its own",
        "conf.models.tuned.registry.model_package_group: model 'churn' has the model package group "
        "'churn' too: give each its own",
    ]
    edit(root, TUNED, "model_package_group: churn", "model_package_group: demo-churn")
    edit(root, CHURN, "model_package_group: churn", "description: without a group")
    assert any("the model package group 'demo-churn' too" in line for line in said(root))


@pytest.mark.parametrize(
    ("entry_point", "champion", "words"),
    [
        ("te-ll.py", False, "te_ll.py and te-ll.py would both be the function 'demo-te-ll': rename one"),
        ("champion.py", True, "champion.py finds the champion of the gate: name another file"),
        (
            "x" * 60 + ".py",
            False,
            f"the function's name 'demo-{60 * 'x'}' has 65 characters, and AWS allows 64: rename the file",
        ),
    ],
)
def test_functions_have_names_of_their_own(root: Path, entry_point: str, champion: bool, words: str) -> None:
    for name in ("te_ll.py", entry_point):
        (root / "lambdas" / name).write_text("def handler(event, context): ...\n")
    edit(root, CHURN, "entry_point: tell.py", "entry_point: te_ll.py")
    edit(root, TUNED, "      tune:\n", f"      lambda: {{entry_point: {entry_point}}}\n      tune:\n")
    if champion:
        edit(root, CHURN, "json_path: recall", "json_path: recall\n        champion: {}")
    assert said(root) == [f"conf.models.tuned.lambda.entry_point: {words}"]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("def other(): ...\n", "lambdas/tell.py has no function 'handler' at its top"),
        ("def handler(:\n", "lambdas/tell.py:1: not valid Python"),
    ],
)
def test_a_function_must_hold_its_handler(root: Path, source: str, words: str) -> None:
    (root / "lambdas" / "tell.py").write_text(source)
    assert said(root) == [f"conf.models.churn.lambda.entry_point: {words}"]


def test_a_champion_needs_its_function(root: Path) -> None:
    (root / "lambdas" / "champion.py").unlink()
    edit(root, CHURN, "json_path: recall", "json_path: recall\n        champion: {}")
    assert said(root) == ["conf.models.churn.gate.champion: no file 'champion.py' in lambdas"]


@pytest.mark.parametrize("name", ["../x", "a/b", "..", "x" * 65, "project", "conf"])
def test_an_environment_has_a_name_of_its_own(root: Path, name: str) -> None:
    with pytest.raises(UserError, match=r"^--env [^\n]+$"):
        configuration.load(root, name)


def test_a_folder_is_no_environment(root: Path) -> None:
    (root / "conf" / "prod.yaml").mkdir()
    with pytest.raises(UserError, match=r"^conf/prod.yaml: this is a folder, not an [^\n]+$"):
        configuration.load(root, "prod")


def test_an_image_that_is_a_parameter_is_compiled_to_uris(root: Path) -> None:
    first, second = "pytorch-training:2.0.0-cpu-py310", "pytorch-training:2.1.0-cpu-py310"
    chosen = f"image_uri: {{parameter: Image, default: '{first}', choices: ['{first}', '{second}']}}"
    edit(root, TUNED, IMAGE, chosen)
    loaded = configuration.load(root)
    declared = json.loads(compile_pipeline(loaded).text)["Parameters"]
    (image,) = [item for item in declared if item["Name"] == "Image"]
    registry = "763104351884.dkr.ecr.eu-west-1.amazonaws.com"
    assert image["DefaultValue"] == f"{registry}/{first}"
    assert image["EnumValues"] == [f"{registry}/{first}", f"{registry}/{second}"]
    assert arguments.parse(loaded, [f"Image={second}"]) == {"Image": f"{registry}/{second}"}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            "MachineType=ml.nonsense",
            "an instance type for jobs such as ml.m5.xlarge is expected, not 'ml.nonsense'",
        ),
        ("MinimumRecall=inf", "a number is expected (as in the default 0.7), not 'inf'"),
        ("MinimumRecall=0_1.5", "a number is expected (as in the default 0.7), not '0_1.5'"),
        ("MinimumRecall=1e999", "a number is expected (as in the default 0.7), not '1e999'"),
        ("Epochs= 5", "a whole number is expected (as in the default 4), not ' 5'"),
        ("Epochs=1_000", "a whole number is expected (as in the default 4), not '1_000'"),
        ("Epoch=5", "no such parameter; did you mean 'Epochs'?"),
        ("Image=foo:1", "no AWS image 'foo'; or give its full URI"),
        (
            "Image=my image",
            "an image's URI, or its name and tag (name:tag), of at most 255 characters is expected, "
            "not 'my image'",
        ),
    ],
)
def test_a_given_value_keeps_the_rules_of_its_key(root: Path, given: str, words: str) -> None:
    edit(root, TUNED, IMAGE, "image_uri: {parameter: Image, default: 'pytorch-training:2.0.0-cpu-py310'}")
    with pytest.raises(UserError) as caught:
        arguments.parse(configuration.load(root), [given])
    assert str(caught.value) == f"--param {given.partition('=')[0]}: {words}"


def test_a_parameter_is_given_once(root: Path) -> None:
    with pytest.raises(UserError) as caught:
        arguments.parse(configuration.load(root), ["Epochs=5", "MinimumRecall=0.5", "Epochs=6"])
    assert str(caught.value) == "--param Epochs: it is given twice, as '5' and '6': keep one"


def test_regions_are_those_of_the_sdk() -> None:
    session = boto3.Session()
    known = {
        name
        for partition in session.get_available_partitions()
        for name in session.get_available_regions("sagemaker", partition)
    }
    assert len(known) > 30
    assert known <= set(regions.known())


def test_registries_have_the_names_of_their_partition() -> None:
    session = boto3.Session()
    for partition in session.get_available_partitions():
        for region in session.get_available_regions("ecr", partition)[:2]:
            endpoint = session.client("ecr", region).meta.endpoint_url
            assert endpoint == f"https://api.ecr.{region}.{regions.dns_suffix(region)}"
    uri = "727897471807.dkr.ecr.cn-north-1.amazonaws.com.cn/pytorch-training:2"
    assert images.uri("pytorch-training:2", "cn-north-1") == uri


def test_an_image_that_the_region_has_not_is_said_with_its_place(root: Path) -> None:
    edit(root, PROJECT, "SMP_REGION: eu-west-1", "SMP_REGION: us-isob-west-1")
    line = edit(root, TUNED, IMAGE, IMAGE)
    with pytest.raises(UserError) as caught:
        configuration.load(root).image("pytorch-training:2.0.0-cpu-py310")
    words = "no registry of 'pytorch-training' images in us-isob-west-1: give the image's full URI"
    assert str(caught.value) == f"{TUNED}:{line}: conf.models.tuned.train.image_uri: {words}"


def test_names_of_images_are_those_of_the_sdk() -> None:
    for name in images.REPOSITORIES:
        assert images.uri(f"{name}:1", "us-east-1").endswith(f".dkr.ecr.us-east-1.amazonaws.com/{name}:1")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (IMAGE, "image_uri: pytorch-trainin:1", "image_uri: no AWS image 'pytorch-trainin'; did you mean"),
        (IMAGE, "image_uri: 'pytorch-training:'", "image_uri: an image's URI, or its name and tag"),
        (
            IMAGE,
            "image_uri: {parameter: I, default: 'pytorch-training:1'}\n        framework_version: '1'",
            "framework_version: the image is a parameter",
        ),
        ("objective_type: Minimize", "strategy: Hyperband", "strategy: Hyperband takes a job's longest"),
        ("{layers: 2}", "{sagemaker_program: a}", "sagemaker_program: names that begin with sagemaker_"),
        (
            "entry_point: train.py",
            f"{VARIABLE}entry_point: train.py",
            "train.env: one parameter cannot be all",
        ),
        ("entry_point: train.py", "entry_point: below.py", "'below.py' is a folder: name a file in it"),
        ("{layers: 2}", f"{{layers: 2}}{FILE}", "write the full URI, s3://..., into the parameter, not 'x'"),
    ],
)
def test_what_no_job_could_run_with_is_refused(root: Path, old: str, new: str, words: str) -> None:
    (root / "models" / "tuned" / "below.py").mkdir()
    edit(root, TUNED, old, new)
    (line,) = said(root)
    assert words in line


def test_a_transform_is_served_by_the_framework_that_trained(root: Path) -> None:
    edit(
        root,
        CHURN,
        "entry_point: inference.py",
        "entry_point: inference.py\n        image_uri: pytorch-inference:2",
    )
    assert said(root) == [
        "conf.models.churn.transform.image_uri: train.image_uri makes tensorflow models, "
        "but this image serves pytorch"
    ]


@pytest.mark.parametrize("path", ["a..b", "a b", "a[x]", "$.a", "a[0", ".a", "a."])
def test_a_gate_names_its_value_by_names_and_numbers(root: Path, path: str) -> None:
    edit(root, CHURN, "json_path: recall", f"json_path: '{path}'")
    assert ["gate.json_path: a path such as" in line for line in said(root)] == [True]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("outputs: [report]", "outputs: [report, ..]", "evaluate.outputs[1]: a name of at most 64"),
        ("sourceName: raw", "sourceName: .", "sourceName: a name of at most 64"),
        ("arguments: {folds", f"{CODE}arguments: {{folds", "inputLocalFilepath: a folder without"),
        ("arguments: {folds", f"{OUTSIDE}arguments: {{folds", "inputLocalFilepath: a folder without"),
    ],
)
def test_folders_of_a_job_stay_where_they_belong(root: Path, old: str, new: str, words: str) -> None:
    edit(root, CHURN, old, new)
    assert any(words in line for line in said(root))


def test_two_outputs_have_two_folders(root: Path) -> None:
    location = "location: {outputLocalFilepath: /opt/ml/processing/output/same}"
    channels = f"features: {{{location}}}\n          test: {{{location}}}"
    edit(root, CHURN, "        outputs: [features, test]", f"          {channels}")
    words = "two outputs are in /opt/ml/processing/output/same: give each its own folder"
    assert f"step 'Prepare': step_class: {words}" in said(root)


IN, OUT = "/opt/ml/processing/input", "/opt/ml/processing/output"
APART = "choose folders of which none is in the other"
PREPARE = "        outputs: [features, test]"


@pytest.mark.parametrize(
    ("section", "key", "words"),
    [
        (
            f"inputLocalFilepath: {OUT}/features\n{PREPARE}",
            "inputLocalFilepath",
            f"input 'raw' is in {OUT}/features/raw, and output 'features' in {OUT}/features: {APART}",
        ),
        (
            f"inputLocalFilepath: {OUT}\n{PREPARE.replace('features', 'raw')}",
            "inputLocalFilepath",
            f"input 'raw' is in {OUT}/raw, and output 'raw' in {OUT}/raw: {APART}",
        ),
        (
            f"location: {{outputLocalFilepath: {IN}/raw}}\n{PREPARE}",
            "location.outputLocalFilepath",
            f"input 'raw' is in {IN}/raw, and output 'features' in {IN}/raw/features: {APART}",
        ),
        (
            f"location: {{outputLocalFilepath: {IN}}}\n{PREPARE.replace('features', 'code')}",
            "location.outputLocalFilepath",
            f"output 'code' is in {IN}/code, and the job's program in {IN}/code: {APART}",
        ),
        (
            f"location: {{outputLocalFilepath: /opt/ml/processing}}\n{PREPARE.replace('features', 'input')}",
            "location.outputLocalFilepath",
            f"input 'raw' is in {IN}/raw, and output 'input' in {IN}: {APART}",
        ),
    ],
)
def test_what_a_job_reads_is_not_in_what_it_writes(root: Path, section: str, key: str, words: str) -> None:
    edit(root, CHURN, PREPARE, f"        {section}")
    lines = [line for line in lines_of(root) if APART in line]
    assert [line.partition(": ")[2] for line in lines] == [f"conf.models.churn.preprocess.{key}: {words}"]
    number = int(lines[0].partition(": ")[0].rpartition(":")[2])
    assert key.rpartition(".")[2] in (root / CHURN).read_text().splitlines()[number - 1]


@pytest.mark.parametrize(
    ("folder", "taken"),
    [
        ("/opt/ml/input/data", "/opt/ml/input the inputs"),
        ("/opt/ml/model", "/opt/ml/model the model"),
        ("/opt/ml/output/data/x", "/opt/ml/output the output"),
    ],
)
def test_checkpoints_have_a_folder_of_their_own(root: Path, folder: str, taken: str) -> None:
    own = f"checkpoint_s3_uri: s3://demo-bucket/c/\n        checkpoint_local_path: {folder}/\n        "
    edit(root, CHURN, "hyperparams:", f"{own}hyperparams:")
    words = f"it holds the checkpoints, and {taken}: choose a folder beside it"
    assert f"conf.models.churn.train.checkpoint_local_path: {words}" in said(root)


def test_two_inputs_have_two_folders(root: Path) -> None:
    own = "dataFiles: [{sourceName: Train-model, fileName: s3://demo-bucket/b/}]"
    edit(
        root,
        CHURN,
        "channels: {test: , model: }\n        outputs: [report]",
        f"channels: {{model: {{{own}}}}}",
    )
    edit(root, CHURN, "[Prepare, Train]}", "[Train]}")
    words = "two inputs are in /opt/ml/processing/input/Train-model: give each its own folder"
    assert f"step 'Measure': step_class: {words}" in said(root)


def test_choices_keep_the_rules_of_their_key(root: Path) -> None:
    edit(root, CHURN, MACHINE, MACHINE.replace("}", ", choices: [ml.m5.xlarge, ml.nonsense]}"))
    words = "an instance type for jobs such as ml.m5.xlarge is expected, not 'ml.nonsense'"
    assert said(root) == [f"conf.models.churn.preprocess.instance_type.choices: {words}"]


def test_both_ends_of_a_range_may_be_given(root: Path) -> None:
    low, high = "{parameter: Low, default: 1}", "{parameter: High, default: 4}"
    edit(root, TUNED, "layers: {min: 1, max: 4}", f"layers: {{min: {low}, max: {high}}}")
    loaded = configuration.load(root)
    assert arguments.parse(loaded, ["Low=6", "High=9"]) == {"Low": "6", "High": "9"}
    with pytest.raises(UserError, match=r"^--param Low: min 6 must be below max 4$"):
        arguments.parse(loaded, ["Low=6"])
    with pytest.raises(UserError, match=r"^--param Low, High: min 3 must be below max 2$"):
        arguments.parse(loaded, ["Low=3", "High=2"])
