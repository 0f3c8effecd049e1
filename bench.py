"""Measure a project with the default answers: what each command of a first hour costs, on this machine.

Creates the project in build/bench, with free ports. Seconds are wall-clock; MiB are the command's own
largest resident set: the local services and the jobs are processes of their own, and not in it.

Then compiling, next to the bare import of the SDK, for the default pipeline and for one of a hundred models
(600 steps): the least of several runs each, taken in turns, and their ratio to the import. Last the speed of
the example's training and preprocessing (benchmarks/training_speed.py, benchmarks/preprocessing.py).
"""

import os
import platform
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path(__file__).parent / "build" / "bench"
RETRAIN = ".venv/bin/retrain"
STEPS = {
    "install, downloads cached": ["make", "--silent", "install"],
    "check the configuration": [RETRAIN, "check"],
    "compile the definition": [RETRAIN, "definition", "--out", os.devnull],
    "start the local services": [RETRAIN, "local", "up"],
    "draw the sample data": [RETRAIN, "data"],
    "run": [RETRAIN, "run"],
    "run again, steps cached": [RETRAIN, "run"],
}
ROUNDS = 5
MODELS = 100
IMPORT = """
from sagemaker.core.processing import FrameworkProcessor
from sagemaker.mlops.workflow.pipeline import Pipeline
from sagemaker.train import ModelTrainer
"""
MODEL = """
conf:
  models:
    {name}:
      source_directory: models/{name}
      preprocess:
        image_uri: sagemaker-scikit-learn:1.4-2-cpu-py3
        entry_point: preprocess.py
        channels: {{train: {{dataFiles: [{{sourceName: raw, fileName: s3://SMP_S3BUCKETNAME/{name}/}}]}}}}
      train: {{image_uri: sagemaker-scikit-learn:1.4-2-cpu-py3, entry_point: train.py}}
      transform: {{entry_point: inference.py, channels: train}}
      evaluate: {{image_uri: sagemaker-scikit-learn:1.4-2-cpu-py3, entry_point: evaluate.py, channels: train}}
      registry:
        ModelRepack: "False"
        InferenceSpecification:
          image_uri: sagemaker-scikit-learn:1.4-2-cpu-py3
          supported_content_types: [text/csv]
          supported_response_MIME_types: [text/csv]
"""
STEPS_OF_A_MODEL = """
      {name}:
        steps:
          - {{step_name: {name}-Preprocess, step_class: Processing, step_type: preprocess}}
          - {{step_name: {name}-Train, step_class: Training, chain_input_source_step: [{name}-Preprocess]}}
          - {{step_name: {name}-CreateModel, step_class: CreateModel}}
          - step_name: {name}-Transform
            step_class: Transform
            chain_input_source_step: [{name}-Preprocess]
          - {{step_name: {name}-Metrics, step_class: Metrics, chain_input_source_step: [{name}-Transform]}}
          - {{step_name: {name}-Register, step_class: RegisterModel}}
"""


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [opened.getsockname()[1] for opened in sockets]
    for opened in sockets:
        opened.close()
    return ports


def stop_services() -> None:
    if (FOLDER / RETRAIN).exists():
        subprocess.run([RETRAIN, "local", "down"], cwd=FOLDER, check=False)


def make_project() -> None:
    stop_services()
    shutil.rmtree(FOLDER, ignore_errors=True)
    command = [sys.executable, "-m", "cookiecutter", ".", "--no-input", "--default-config"]
    command += ["--output-dir", str(FOLDER.parent), f"project_slug={FOLDER.name}"]
    subprocess.run(command, cwd=Path(__file__).parent, check=True)
    path = FOLDER / "conf" / "project.yaml"
    ports = iter(free_ports(3))
    path.write_text(re.sub(r"(?<=_port: )\d+", lambda _: str(next(ports)), path.read_text()))


def make_many() -> Path:
    """A second project, of MODELS models with six steps each, run by the first one's environment."""
    folder = FOLDER.parent / "bench-many"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name in ("conf", "pipeline.py"):
        copy = shutil.copytree if (FOLDER / name).is_dir() else shutil.copy
        copy(FOLDER / name, folder / name)
    path = folder / "conf" / "project.yaml"
    path.write_text(re.sub(r"SMP_MODELNAME: .*", "SMP_MODELNAME: unit-000", path.read_text()))
    steps = ""
    for index in range(MODELS):
        name = f"unit-{index:03d}"
        unit = folder / "models" / name
        unit.mkdir(parents=True)
        for script in ("preprocess.py", "train.py", "inference.py", "evaluate.py"):
            (unit / script).write_text(f"print({index})\n")
        (unit / "conf.yaml").write_text(MODEL.format(name=name))
        steps += STEPS_OF_A_MODEL.format(name=name)
    pipeline = f"conf:\n  sagemakerPipeline:\n    pipelineName: many\n    models:{steps}"
    (folder / "conf" / "pipeline.yaml").write_text(pipeline)
    return folder


def compare(log: Path) -> None:
    """Compiling and checking, in turns with the bare import."""
    many, retrain = make_many(), str(FOLDER / RETRAIN)
    python = str(FOLDER / ".venv/bin/python")
    commands = {
        "bare import of the SDK": ([python, "-c", IMPORT], FOLDER),
        "definition, default": ([retrain, "definition", "--out", os.devnull], FOLDER),
        f"definition, {MODELS} models": ([retrain, "definition", "--out", os.devnull], many),
        "check, default": ([retrain, "check"], FOLDER),
        f"check, {MODELS} models": ([retrain, "check"], many),
    }
    measured: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for _ in range(ROUNDS):
        for name, (command, folder) in commands.items():
            measured[name].append(measure(command, log, folder))
    bare = min(seconds for seconds, _ in measured["bare import of the SDK"])
    print(f"\ncompiling, least of {ROUNDS}, and as parts of the bare import:")
    for name, runs in measured.items():
        seconds, memory = min(runs)[0], max(memory for _, memory in runs)
        print(f"{name:<28}{seconds:>9.2f} s{memory:>9.0f} MiB{seconds / bare:>9.2f}")


def example() -> None:
    """The example's training and preprocessing, in the project's environment."""
    for name in ("training_speed.py", "preprocessing.py"):
        _run_benchmark(Path(__file__).parent / "benchmarks" / name)


def _run_benchmark(script: Path) -> None:
    command = [str(FOLDER / ".venv/bin/python"), str(script), "--model", str(FOLDER / "models" / "scarcegan")]
    print(flush=True)
    subprocess.run(command, check=True)


def measure(command: list[str], log: Path, folder: Path = FOLDER) -> tuple[float, float]:
    """Run a command in the project; its wall-clock seconds and largest resident set in MiB."""
    with log.open("ab") as words:
        began = time.perf_counter()
        environment = {**os.environ, "AWS_DEFAULT_REGION": "eu-west-1", "AWS_EC2_METADATA_DISABLED": "true"}
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=words, stderr=words)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"Error: {' '.join(command)} ended with status {process.returncode}; its words are in {log}")
    return seconds, usage.ru_maxrss / (1024 if sys.platform == "linux" else 1024**2)


def main() -> None:
    make_project()
    log = FOLDER.parent / "bench.log"
    log.unlink(missing_ok=True)
    print(f"{platform.system()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    spent: dict[str, float] = {}
    try:
        for name, command in STEPS.items():
            spent[name], memory = measure(command, log)
            print(f"{name:<28}{spent[name]:>9.2f} s{memory:>9.0f} MiB", flush=True)
        compare(log)
        example()
    finally:
        stop_services()
    print("\nas parts of the first run:")
    for name, seconds in spent.items():
        print(f"{name:<28}{seconds / spent['run']:>9.2f}")
    print("\nwhat the runs said of themselves:")
    for line in re.findall(r"^Time: .*$", log.read_text(), re.MULTILINE):
        print(line)


if __name__ == "__main__":
    main()
