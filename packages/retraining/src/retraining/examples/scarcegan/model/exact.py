"""Affine layers whose results do not depend on how a machine orders its sums.

A product of matrices is summed in another order for another number of rows, threads or processor, and each
order rounds differently. Here the weights and inputs of a layer are rounded to multiples of a power of two,
so coarse that every sum of their products is exact in float64: any order gives the same bits.
"""

import math
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

MANTISSA = 53  # bits of a float64: integers of less than 2**53 are exact
ROWS = 16  # elementwise functions work on rows in whole vectors of the processor; each width divides 16

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Grid:
    """A layer's weights [inputs, outputs] and bias [outputs], and the step that its inputs are rounded to."""

    weights: Doubles
    bias: Doubles
    step: float


def grids(layers: list[tuple[Doubles, Doubles]], bound: float) -> list[Grid]:
    """Round layers of (weights, bias), for inputs of at most `bound` in size.

    The activation between two layers must not enlarge its input. A layer with sums of up to 2**b has 53 - b
    bits for a product's fraction; inputs and weights share them.
    """
    rounded = []
    for weights, bias in layers:
        bound = float(bound * np.abs(weights).sum(axis=0).max() + np.abs(bias).max())
        fraction = MANTISSA - 1 - math.ceil(math.log2(max(1.0, bound)))
        step = 2.0 ** -(fraction // 2)
        rounded.append(Grid(_round(weights, step), _round(bias, step), step))
    return rounded


def affine(inputs: tf.Tensor, weights: tf.Tensor, bias: tf.Tensor, step: float) -> tf.Tensor:
    """float64 [n, inputs] -> [n, outputs], exact but for the rounding of `inputs`."""
    return tf.matmul(tf.round(inputs / step) * step, weights) + bias


def whole_vectors(rows: tf.Tensor) -> tf.Tensor:
    """Rows [n, F] with rows of zeros up to a multiple of ROWS."""
    return tf.pad(rows, [[0, -tf.shape(rows)[0] % ROWS], [0, 0]])


def _round(values: Doubles, step: float) -> Doubles:
    return np.round(values / step) * step
