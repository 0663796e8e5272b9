"""The operators of a circuit. Importing this package makes all of them known to the manifest reader."""

from ciro_zk.ops.enclosed import Divide, SquareRoot
from ciro_zk.ops.linear import AxisMap, Combine, Reshape, Transpose
from ciro_zk.ops.maximum import Maximum
from ciro_zk.ops.one_hot import OneHot
from ciro_zk.ops.products import Conv, Hadamard, MatMul
from ciro_zk.ops.range_check import RangeCheck
from ciro_zk.ops.requantise import Requantise

__all__ = [
    "AxisMap", "Combine", "Conv", "Divide", "Hadamard", "MatMul", "Maximum", "OneHot", "RangeCheck", "Requantise", "Reshape",
    "SquareRoot", "Transpose",
]  # fmt: skip
