"""The bar of the example holds for other players too, and its scores do not depend on the machine."""

import subprocess
import sys
from pathlib import Path

import exported
import numpy as np
import pytest
import tensorflow as tf
from jobs import Chain, assert_quality, simulated_chain


@pytest.mark.slow
@pytest.mark.parametrize("seed", [8, 9])
def test_the_scarce_group_is_found_with_other_seeds(seed: int, tmp_path: Path) -> None:
    simulated_chain(tmp_path, seed)
    assert_quality(Chain(tmp_path))


THREADS = """
import sys
import numpy as np
import tensorflow as tf
tf.config.threading.set_intra_op_parallelism_threads(int(sys.argv[3]))
tf.config.threading.set_inter_op_parallelism_threads(int(sys.argv[3]))
serve = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
rows = np.load(sys.argv[2])
np.save(sys.argv[4], serve(features=tf.constant(rows, tf.float32))["probabilities"].numpy())
"""


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("kernels", ["0", "1"])
def test_an_answer_does_not_depend_on_threads_or_kernels(threads: int, kernels: str, tmp_path: Path) -> None:
    rows = exported.rows(4096)
    np.save(tmp_path / "rows.npy", rows)
    exported.save(tmp_path, "candidates", ["only"], exported.fitted(), exported.rows(400, seed=2))
    model, out = tmp_path / "candidates" / "only" / "1", tmp_path / "out.npy"
    serve = tf.saved_model.load(str(model)).signatures["serving_default"]
    expected = serve(features=tf.constant(rows, tf.float32))["probabilities"].numpy()
    arguments = [str(word) for word in (model, tmp_path / "rows.npy", threads, out)]
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "2", "TF_ENABLE_ONEDNN_OPTS": kernels}
    command = [sys.executable, "-c", THREADS, *arguments]
    subprocess.run(command, check=True, env=quiet, capture_output=True)
    np.testing.assert_array_equal(np.load(out), expected, strict=True)
