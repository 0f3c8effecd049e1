"""conf.yaml says what the scripts take, and requirements.txt what the training image has."""

import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jobs import UNIT

import preprocess
from hyperparameters import Hyperparameters
from job_toolkit.failure import InputError
from job_toolkit.hyperparameters import parse

CONF = yaml.safe_load((UNIT / "conf.yaml").read_text())["conf"]["models"][UNIT.name]


def value(entry: Any) -> Any:
    return entry["default"] if isinstance(entry, dict) and "parameter" in entry else entry


def test_the_hyperparameters_are_the_scripts_with_its_defaults() -> None:
    configured = {name: value(entry) for name, entry in CONF["train"]["hyperparams"].items()}
    arguments = [word for name, given in configured.items() for word in (f"--{name}", str(given))]
    assert parse(Hyperparameters, arguments) == parse(Hyperparameters, []) == Hyperparameters()
    assert set(configured) == set(Hyperparameters().document())


def test_the_arguments_are_the_preprocessings(tmp_path: Path) -> None:
    configured = {name: value(entry) for name, entry in CONF["preprocess"]["arguments"].items()}
    arguments = [word for name, given in configured.items() for word in (f"--{name}", str(given))]
    with pytest.raises(InputError, match=r"no \.jsonl, .* file"):
        preprocess.main(["--base", str(tmp_path), *arguments])
    assert tuple(CONF["preprocess"]["outputs"]) == preprocess.OUTPUTS
    assert set(CONF["train"]["channels"]) == set(preprocess.OUTPUTS)


def test_the_requirements_are_the_images_versions() -> None:
    """transformers' version is in the image's tag; torch is a range around the images' own."""
    lines = [line.split(";")[0].strip() for line in (UNIT / "requirements.txt").read_text().splitlines()]
    required = {re.split("[=<>]", line)[0]: line for line in lines if line and not line.startswith("#")}
    training = re.search(r":([\d.]+)-transformers([\d.]+)-", CONF["train"]["image_uri"])
    assert training is not None
    assert required["transformers"] == f"transformers=={training[2]}"
    bounds = re.fullmatch(r"torch>=([\d.]+),<([\d.]+)", required["torch"])
    assert bounds is not None
    serving = CONF["registry"]["InferenceSpecification"]["image_uri"].split(":")[1]
    for version in (training[1], serving.split("-")[0]):
        low, middle, high = (tuple(map(int, text.split(".")[:2])) for text in (bounds[1], version, bounds[2]))
        assert low <= middle < high


def test_falcon_40b_is_held_in_four_bits_on_several_gpus() -> None:
    """What its overlay says is what the script takes, and what the script needs for it is required."""
    overlay = yaml.safe_load((UNIT / "falcon-40b.yaml").read_text())["conf"]["models"][UNIT.name]["train"]
    given = {**CONF["train"]["hyperparams"], **overlay["hyperparams"]}
    words = (word for name, entry in given.items() for word in (f"--{name}", str(value(entry))))
    options = parse(Hyperparameters, list(words))
    assert (options.model_id, options.four_bit) == ("tiiuae/falcon-40b", True)
    assert value(overlay["instance_type"]) in ("ml.g5.48xlarge",)  # eight GPUs
    assert re.search("^bitsandbytes==", (UNIT / "requirements.txt").read_text(), re.MULTILINE)


def test_hyperparameters_come_through_sagemakers_driver() -> None:
    """The arguments are made by the SDK's own driver from hyperparameters as a training job has them."""
    sagemaker = importlib.util.find_spec("sagemaker.train") if importlib.util.find_spec("sagemaker") else None
    if sagemaker is None or sagemaker.origin is None:
        pytest.skip("the SageMaker SDK is not installed")
    path = Path(sagemaker.origin).parent / "container_drivers" / "common" / "utils.py"
    spec = importlib.util.spec_from_file_location("driver_utils", path)
    assert spec is not None
    assert spec.loader is not None
    driver = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(driver)
    hyper = {"model_id": "tiiuae/falcon-7b", "epochs": "3", "learning_rate": 2e-4, "four_bit": True}
    given = {
        name: content if isinstance(content, str) else json.dumps(content) for name, content in hyper.items()
    }
    found = parse(Hyperparameters, driver.hyperparameters_to_cli_args(given))
    assert (found.model_id, found.epochs, found.learning_rate) == ("tiiuae/falcon-7b", 3, 2e-4)
    assert found.four_bit is True


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("epochs", "ten", "hyperparameter epochs: 'ten' is not a whole number; it must be"),
        ("epochs", "0", "hyperparameter epochs: 0 is out of range"),
        ("learning_rate", "nan", "hyperparameter learning_rate: nan is out of range"),
        ("max_eval_loss", "-1", "hyperparameter max_eval_loss: -1 is out of range"),
        ("four_bit", "yes", "hyperparameter four_bit: 'yes' is neither true nor false"),
        ("model_id", " ", "hyperparameter model_id: is empty"),
        ("max_new_tokens", "512", "max_new_tokens: 512 leaves no room for a prompt"),
        ("lora_r", "8", "unrecognized arguments: --lora_r 8 (known: --model_id"),
    ],
)
def test_a_wrong_hyperparameter_is_named(name: str, text: str, expected: str) -> None:
    with pytest.raises(InputError) as raised:
        parse(Hyperparameters, [f"--{name}", text])
    assert expected in str(raised.value)
