"""Broken and unsupported models, wrong data and options: each a clear error naming the file, the part and the remedy."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from unit.compiler.checks import floats, model

from ciro_zk.compiler import compile as compile_model
from ciro_zk.compiler import supported_operators
from ciro_zk.errors import BoundsError, CiroError, InputError, ModelError, UnsupportedOperator

RNG = np.random.default_rng(0)
DATA = floats(RNG, 4, 3)


def node(op: str, inputs: str, output: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(op, inputs.split(), output.split(), name=f"{op}_{output}", **attributes)


def dense(weight: Any = None, **options: Any) -> onnx.ModelProto:
    value = floats(RNG, 3, 2) if weight is None else weight
    return model([node("MatMul", "x w", "y")], options.pop("inputs", {"x": (1, 3)}), {"w": value}, **options)


def _network() -> bytes:
    nodes = [
        node("Conv", "x k b", "c", pads=[1, 1, 1, 1], strides=[2, 2]),
        node("BatchNormalization", "c s o m v", "n"),
        node("Relu", "n", "r"),
        node("MaxPool", "r", "p", kernel_shape=[2, 2]),
        node("Flatten", "p", "f"),
        node("Gemm", "f w g", "h", transB=1),
        node("Slice", "h first last", "l"),
        node("Concat", "l h", "y", axis=1),
    ]
    constants: dict[str, Any] = {"k": floats(RNG, 2, 1, 3, 3), "w": floats(RNG, 3, 8), "g": floats(RNG, 3)}
    constants |= {"v": np.float32([1, 2]), "first": np.array([0]), "last": np.array([1])}
    constants |= {name: floats(RNG, 2) for name in ("b", "s", "o", "m")}
    return model(nodes, {"x": ("batch", 1, 6, 6)}, constants).SerializeToString()


def fails(kind: type[CiroError], *arguments: Any, **options: Any) -> CiroError:
    """The error that compiling raises; it has a remedy."""
    with pytest.raises(kind) as caught:
        compile_model(*arguments, **options)
    assert type(caught.value) is kind and caught.value.remedy
    return caught.value


NETWORK = _network()


def test_no_such_file(tmp_path: Path) -> None:
    error = fails(InputError, tmp_path / "absent.onnx", DATA)
    assert "absent.onnx" in str(error)


@pytest.mark.parametrize("content", [b"", b"not a model", b"version https://git-lfs.github.com/spec/v1\n", b"\xff" * 100])
def test_does_not_parse(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(content)
    assert "broken.onnx" in str(fails(ModelError, path, DATA))
    fails(ModelError, content, DATA)


def test_truncated(tmp_path: Path) -> None:
    data = dense().SerializeToString()
    for cut in range(0, len(data), 7):
        with pytest.raises(CiroError):
            compile_model(data[:cut], DATA)


@settings(max_examples=150)
@given(
    st.lists(
        st.tuples(st.integers(0, 10**6), st.integers(0, 255), st.sampled_from(["set", "flip", "drop", "insert"])), min_size=1, max_size=3
    )
)
def test_mutated_bytes(changes: list[tuple[int, int, str]]) -> None:
    """Whatever the bytes, a circuit or one of our errors."""
    data = bytearray(NETWORK)
    for position, value, how in changes:
        i = position % len(data)
        if how == "set":
            data[i] = value
        elif how == "flip":
            data[i] ^= 1 << value % 8
        elif how == "drop":
            del data[i]
        else:
            data.insert(i, value)
    with suppress(CiroError):
        compile_model(bytes(data), floats(RNG, 2, 1, 6, 6))


@settings(max_examples=150)
@given(st.data())
def test_mutated_attributes(data: st.DataObject) -> None:
    """Attributes, constants' shapes, operators and wiring that contradict one another."""
    proto = onnx.ModelProto.FromString(NETWORK)
    graph = proto.graph
    numbers = st.sampled_from([-(2**40), -3, -1, 0, 1, 2, 3, 7, 2**31])
    names = [name for n in graph.node for name in n.output] + [t.name for t in graph.initializer] + ["x", ""]
    for _ in range(data.draw(st.integers(1, 2))):
        chosen = graph.node[data.draw(st.integers(0, len(graph.node) - 1))]
        how = data.draw(st.sampled_from(["attribute", "shape", "operator", "input"]))
        if how == "attribute" and chosen.attribute:
            attribute = chosen.attribute[data.draw(st.integers(0, len(chosen.attribute) - 1))]
            if attribute.ints:
                attribute.ints[data.draw(st.integers(0, len(attribute.ints) - 1))] = data.draw(numbers)
            else:
                attribute.i = data.draw(numbers)
        elif how == "shape":
            tensor = graph.initializer[data.draw(st.integers(0, len(graph.initializer) - 1))]
            array = numpy_helper.to_array(tensor)
            array = data.draw(st.sampled_from([array[None], array[..., None], array[:1], array.reshape(-1), array * 0, array * 10**6]))
            tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
        elif how == "operator":
            chosen.op_type = data.draw(st.sampled_from(sorted(supported_operators())))
        else:
            chosen.input[data.draw(st.integers(0, len(chosen.input) - 1))] = data.draw(st.sampled_from(names))
    with suppress(CiroError):
        compile_model(proto, floats(RNG, 2, 1, 6, 6))


def test_wrong_kind_of_model() -> None:
    with pytest.raises(InputError, match="not int"):
        compile_model(3, DATA)  # type: ignore[arg-type]


def test_checker() -> None:
    proto = dense()
    proto.graph.node[0].input[0] = "nowhere"
    assert "nowhere" in str(fails(ModelError, proto, DATA))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_not_finite(value: float, tmp_path: Path) -> None:
    weight = floats(RNG, 3, 2)
    weight[2, 1] = value
    path = tmp_path / "bad.onnx"
    onnx.save(dense(weight), path)
    error = fails(ModelError, path, DATA)
    assert "bad.onnx: w:" in str(error) and "(2, 1)" in str(error)


def test_constants_not_finite() -> None:
    nodes = [node("Div", "a b", "w"), node("Add", "x w", "y")]
    proto = model(nodes, {"x": (1, 3)}, {"a": np.float32([1, 1, 1]), "b": np.float32([1, 0, 1])})
    assert "Div_w" in str(fails(ModelError, proto, DATA))


def test_external_data(tmp_path: Path) -> None:
    proto = dense(floats(RNG, 3, 2))
    path = tmp_path / "model.onnx"
    onnx.save_model(proto, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    compile_model(path, DATA)
    assert "memory" in str(fails(ModelError, path.read_bytes(), DATA))
    (tmp_path / "weights.bin").write_bytes(b"\0\0")
    assert "w" in str(fails(ModelError, path, DATA))
    (tmp_path / "weights.bin").unlink()
    assert "weights.bin" in str(fails(ModelError, path, DATA))


def test_external_data_outside_the_folder(tmp_path: Path) -> None:
    proto = dense(floats(RNG, 3, 2))
    tensor = proto.graph.initializer[0]
    (tmp_path / "secret").write_bytes(tensor.raw_data)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../secret")
    folder = tmp_path / "inside"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(proto.SerializeToString())
    assert "outside" in str(fails(ModelError, folder / "model.onnx", DATA))


@pytest.mark.parametrize("kind", [TensorProto.COMPLEX64, TensorProto.STRING, TensorProto.BFLOAT16])
def test_input_types(kind: int) -> None:
    proto = model([node("Identity", "x", "y")], {"x": (1, 3)}, dtype=kind)
    assert "x:" in str(fails(ModelError, proto, DATA))


def test_opsets() -> None:
    old = dense(opset=13)
    old.opset_import[0].version = 8
    assert "version_converter" in str(fails(ModelError, old, DATA))
    new = dense(opset=13)
    new.opset_import[0].version = onnx.defs.onnx_opset_version() + 1
    assert onnx.__version__ in str(fails(ModelError, new, DATA))


def test_dynamic_axes() -> None:
    proto = model([node("Relu", "x", "y")], {"x": ("batch", "seq", 3)})
    assert "'seq'" in str(fails(ModelError, proto, input_range={"x": (-1, 1)}))
    assert compile_model(proto, floats(RNG, 2, 5, 3)).graph.tensors[0].shape == (1, 5, 3)
    assert compile_model(proto, input_range={"x": (-1, 1)}, shapes={"seq": 4}).graph.tensors[0].shape == (1, 4, 3)
    assert compile_model(proto, input_range={"x": (-1, 1)}, shapes={"x": (2, 4, 3)}).graph.tensors[0].shape == (2, 4, 3)
    assert "shapes['length']" in str(fails(InputError, proto, DATA, shapes={"length": 4}))
    assert "(2, 4, 5)" in str(fails(InputError, proto, input_range={"x": (-1, 1)}, shapes={"x": (2, 4, 5)}))


@pytest.mark.parametrize("unknown", ["?", -1])
def test_axes_without_a_symbol(unknown: str | int) -> None:
    """Paddle and TensorFlow write dynamic axes so; two of them need not agree."""
    proto = model([node("Relu", "x", "y")], {"x": (unknown, 3, unknown, unknown)})
    assert compile_model(proto, floats(RNG, 2, 3, 4, 5)).graph.tensors[0].shape == (1, 3, 4, 5)
    assert compile_model(proto, input_range={"x": (-1, 1)}, shapes={"x": (1, 3, 5, 2)}).graph.tensors[0].shape == (1, 3, 5, 2)


def test_data_dependent_shapes() -> None:
    proto = model([node("NonZero", "x", "n"), node("Cast", "n", "y", to=TensorProto.FLOAT)], {"x": (1, 3)})
    error = fails(UnsupportedOperator, proto, DATA)
    assert "NonZero_n" in str(error)


def test_everything_unsupported_at_once() -> None:
    nodes = [
        node("Bernoulli", "x", "a"),
        node("MatMul", "a w", "b"),
        node("Bernoulli", "b", "c"),
        node("DynamicQuantizeLinear", "c", "q s z"),
        node("Relu", "b", "r"),
        node("NonZero", "r", "m"),
        helper.make_node("Fused", ["m"], ["f"], name="Fused_f", domain="com.microsoft"),
        node("Sum", "f c", "y"),
    ]
    proto = model(nodes, {"x": (1, 3)}, {"w": floats(RNG, 3, 2)}, ["y", "q"], domains=["com.microsoft"])
    proto.graph.output[1].type.tensor_type.elem_type = TensorProto.UINT8
    error = fails(UnsupportedOperator, proto, DATA)
    assert isinstance(error, UnsupportedOperator)
    assert [n.op for n in error.nodes] == ["Bernoulli", "Bernoulli", "DynamicQuantizeLinear", "NonZero", "Fused"]
    assert [n.node for n in error.nodes] == ["Bernoulli_a", "Bernoulli_c", "DynamicQuantizeLinear_q s z", "NonZero_m", "Fused_f"]
    assert all(n.reason and n.opset for n in error.nodes)
    assert "static QDQ" in error.nodes[2].hint and error.nodes[4].domain == "com.microsoft"


@pytest.mark.parametrize(
    ("nodes", "reason"),
    [
        ([node("Div", "x zero", "y")], "division by zero"),
        ([node("Dropout", "x ratio true", "y")], "training"),
        ([node("Reshape", "x shape", "y")], "depends on data"),
        ([node("Pad", "x pads inf", "y")], "inf"),
        ([node("Add", "x inf", "y")], "an operand is inf"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_refused(nodes: list[onnx.NodeProto], reason: str) -> None:
    constants = {"c": np.float32(1), "zero": np.float32(0), "ratio": np.float32(0.5), "true": np.array(True), "pads": np.array([0, 1])}
    used = {name for n in nodes for name in n.input}
    inputs: dict[str, tuple[int, ...]] = {"x": (3, 3)} if "inf" not in reason else {"x": (3,)}
    data = {"x": floats(RNG, 3, 3)} if "inf" not in reason else {"x": floats(RNG, 3)}
    if "i" in used:
        inputs, data = {"i": (1, 1, 4)}, {"i": floats(RNG, 1, 1, 4)}
    proto = model(nodes, inputs, {k: v for k, v in constants.items() if k in used}, [nodes[-1].output[0]])
    if "inf" in used:
        proto.graph.initializer.append(numpy_helper.from_array(np.float32(np.inf), "inf"))
    if "shape" in used:
        proto.graph.input.append(helper.make_tensor_value_info("shape", TensorProto.INT64, [2]))
        data["shape"] = np.array([9, 1])
    error = fails(UnsupportedOperator, proto, data)
    assert reason in str(error)


class TestCalibration:
    """Calibration data, declared ranges and options."""

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            (np.zeros((4, 4), np.float32), "(4, 4)"),
            (np.zeros(3, np.float32), "(3,)"),
            (np.zeros((0, 3), np.float32), "(0, 3)"),
            (np.array([[1.0, np.nan, 0.0]]), "index (0, 1)"),
            (np.array([[1.0, np.inf, 0.0]]), "index (0, 1)"),
            (np.array([["a", "b", "c"]]), "type <U1"),
            (np.array([[1j, 0, 0]]), "complex128"),
            ([[1, 2, 3], [1, 2]], "rectangular"),
            ({"z": DATA}, "calibration['z']"),
        ],
    )
    def test_data(self, data: Any, message: str) -> None:
        assert message in str(fails(InputError, dense(), data))

    def test_nothing_given(self) -> None:
        assert "input_range" in str(fails(InputError, dense()))
        assert "input_range" in str(fails(InputError, dense(), {}))

    def test_batch_does_not_divide(self) -> None:
        assert "(5, 3)" in str(fails(InputError, dense(inputs={"x": (2, 3)}), floats(RNG, 5, 3)))

    def test_several_inputs(self) -> None:
        proto = model([node("Add", "a b", "y")], {"a": (1, 3), "b": (1, 3)})
        assert "2 inputs" in str(fails(InputError, proto, DATA))
        assert "different numbers" in str(fails(InputError, proto, {"a": DATA, "b": DATA[:2]}))
        assert "b" in str(fails(InputError, proto, {"a": DATA}))
        compile_model(proto, {"a": DATA}, input_range={"b": (-1, 1)})

    @pytest.mark.parametrize("pair", [(1, 1), (2, 1), (0, np.inf), (np.nan, 1), 3, (1, 2, 3), ("a", "b")])
    def test_ranges(self, pair: Any) -> None:
        assert "input_range['x']" in str(fails(InputError, dense(), DATA, input_range={"x": pair}))

    def test_unknown_range(self) -> None:
        assert "input_range['q']" in str(fails(InputError, dense(), DATA, input_range={"q": (0, 1)}))

    def test_data_outside_the_range(self) -> None:
        error = fails(InputError, dense(), np.array([[0.5, 0.5, 2.0]]), input_range={"x": (0, 1)})
        assert "index (0, 2)" in str(error) and "2.0" in str(error)

    @pytest.mark.parametrize("bits", [5, 17, 12.0, True, "12"])
    def test_bits(self, bits: Any) -> None:
        with pytest.raises(InputError, match="bits"):
            compile_model(dense(), DATA, bits=bits)

    def test_float_model_overflows(self) -> None:
        proto = model([node("Mul", "x big", "a"), node("Mul", "a big", "y")], {"x": (1, 3)}, {"big": np.float32(1e30)})
        assert "not finite" in str(fails(ModelError, proto, DATA))


def test_bound_that_cannot_be_certified() -> None:
    """Values that spread too widely before a maximum."""
    nodes = [node("Add", "x far", "a"), node("MaxPool", "a", "p", kernel_shape=[2]), node("MatMul", "p w", "y")]
    proto = model(nodes, {"x": (1, 1, 3)}, {"far": np.float32([0, 0, 3]), "w": floats(RNG, 2, 2)})
    with pytest.raises(BoundsError) as caught:
        compile_model(proto, floats(RNG, 4, 1, 3), bits=16)
    assert caught.value.remedy and caught.value.node and caught.value.bound is not None


def test_progress_can_stop_it() -> None:
    def stop(step: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compile_model(dense(), DATA, progress=stop)


def test_the_callers_model_is_not_changed() -> None:
    proto = dense(inputs={"x": ("n", 3)})
    before = proto.SerializeToString(deterministic=True)
    compile_model(proto, DATA)
    assert proto.SerializeToString(deterministic=True) == before
