"""Whatever a model calls its parts: a circuit that is read back, or an error that says which name to change."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from ciro_zk.compiler import compile as compile_model
from ciro_zk.errors import ModelError
from ciro_zk.program.circuit import Circuit

DATA = np.float32([[1, -2], [0.5, 3]])
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8) | st.builds(
    lambda text, times: text * times, st.sampled_from(["x", "é", "𝔣", "."]), st.integers(250, 260) | st.integers(500, 515)
)


def named(graph: str, source: str, target: str, node: str) -> onnx.ModelProto:
    """y = x w, its parts named."""
    made = helper.make_graph(
        [helper.make_node("MatMul", [source, "w"], [target], name=node)],
        graph,
        [helper.make_tensor_value_info(source, TensorProto.FLOAT, (1, 2))],
        [helper.make_tensor_value_info(target, TensorProto.FLOAT, (1, 2))],
        [numpy_helper.from_array(np.float32([[1, 2], [3, -1]]), "w")],
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


@settings(max_examples=40)
@given(NAMES, NAMES, NAMES, NAMES)
def test_what_compiles_is_read_back(graph: str, source: str, target: str, node: str) -> None:
    if len({"w", source, target}) < 3:
        return
    is_long = len(graph) > 256 or len(source) > 512 or len(f"{target}.weight") > 512
    try:
        circuit = compile_model(named(graph, source, target, node), DATA)
    except ModelError as error:
        assert is_long and "names of at most" in str(error) and error.remedy
        return
    assert not is_long
    assert Circuit.from_bytes(bytes(circuit)).program.digest == circuit.program.digest


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        (("g" * 257, "x", "y", "n"), "'gggg"),
        (("g", "x" * 513, "y", "n"), "'xxxx"),
        (("g", "x", "y" * 513, "n"), "'yyyy"),
        (("g", "x", "y" * 506, "n"), "'yyyy"),
    ],
)
def test_a_long_name_is_shown(names: tuple[str, str, str, str], shown: str) -> None:
    with pytest.raises(ModelError, match="names of at most") as caught:
        compile_model(named(*names), DATA)
    assert str(caught.value).startswith(shown) and len(str(caught.value)) < 250
