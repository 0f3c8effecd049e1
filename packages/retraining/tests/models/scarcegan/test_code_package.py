"""Which of the model's modules each job gets."""

from jobs import MODEL

from retraining.compile import code_package


def test_the_training_package_holds_no_module_of_the_evaluation() -> None:
    """A code package is the entry point and what it imports: an edited report must not retrain the model."""
    package = code_package.files(MODEL, "train.py")
    modules = {path for path in package if path.suffix == ".py"}
    assert {MODEL / path for path in modules} >= {MODEL / "train.py", *(MODEL / "model").glob("*.py")}
    assert {path.parent.as_posix() for path in modules} == {".", "data", "job_toolkit", "model"}
    assert not {path.stem for path in modules if path.parts[0] == "job_toolkit"} & {"report", "metrics"}
    assert not {path.stem for path in modules} & {"evaluate", "inference", "preprocess", "simulate"}
