"""Write the tables of docs/operators.md from the compiler's own registry, so that the page cannot drift.

    python docs/generate_operators.py            rewrite the page's tables
    python docs/generate_operators.py --check    exit 1 if the page is not current

Names and schema versions come from the registry, remarks from NOTES below; an operator without a remark is an error.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

PAGE = Path(__file__).resolve().parent / "operators.md"

FREE = "free"
TABLE = "fused or requantise"
LOGIC = "1 or 2 lookups a cell"
JUMPS = "an argument within half a unit of a jump counts as at it"
MOVED = "constant indices; at most 2^20 cells"
HOT = "; or computed: at most 2^20 indices times cells, each a lookup or two of a one or zero; distinct ones where they scatter"
CLASSICAL = "`ai.onnx.ml`; "
TREES = "2 lookups a different decision, 1 a leaf, a product"
RECURRENT = (
    "constant number of steps, at most 1,024, and constant lengths; both directions, initial and last states, both layouts, "
    "all activations of ONNX; no `clip`"
)
NOTES: dict[str, tuple[str, str]] = {
    "Abs": (TABLE, ""),
    "Acos": (TABLE, ""),
    "Acosh": (TABLE, ""),
    "Add": ("fused, requantise or free", "two computed tensors, or one and a constant; broadcasting"),
    "AffineGrid": ("product", "constant size, 2 or 3 axes"),
    "And": (LOGIC, ""),
    "ArgMax": ("2 maxima, 2 tables", "first or last index"),
    "ArgMin": ("2 maxima, 2 tables", "first or last index"),
    "ArrayFeatureExtractor": (FREE, CLASSICAL + "constant indices"),
    "Asin": (TABLE, ""),
    "Asinh": (TABLE, ""),
    "Atan": (TABLE, ""),
    "Atanh": (TABLE, ""),
    "Attention": (
        "products, rows",
        "masks constant, or computed and added; grouped heads, past keys, windows, `softcap`, all of `qk_matmul_output_mode`; "
        "rows without any key give zeros",
    ),
    "AveragePool": ("requantise", "1 to 3 spatial axes; strides, pads, dilations, `auto_pad`, `ceil_mode`, `count_include_pad`"),
    "BatchNormalization": ("fused or product", "inference only; folded into the convolution or product before it where that is possible"),
    "Binarizer": (LOGIC, CLASSICAL),
    "BitShift": ("free or table", "by 0 to 30 constant bits; to the left it does not wrap around"),
    "BitwiseNot": (FREE, "8 and 16 bits, or signed"),
    "Cast": ("free or table", "between floats, integers and bool; floats to integers towards zero"),
    "CastLike": (FREE, "as Cast"),
    "CausalConvWithState": ("product", "constant kernel and bias; silu, swish or no activation; state in and out"),
    "Ceil": (TABLE, JUMPS),
    "Celu": (TABLE, ""),
    "CenterCropPad": (FREE, "constant shape; at most 2^20 cells"),
    "Clip": ("fused or requantise", "constant bounds, either may be missing"),
    "Col2Im": ("requantise", "constant shapes; strides, pads, dilations"),
    "Compress": (FREE, "constant condition"),
    "Concat": (FREE, "pieces of another scale are requantised; constant pieces allowed"),
    "Conv": ("product", "1 to 3 spatial axes; groups, strides, dilations, pads, `auto_pad`; constant kernel and bias; no negative pads"),
    "ConvInteger": ("product", "exact, with constant kernel and zero points"),
    "ConvTranspose": (
        "product",
        "1 to 3 spatial axes; groups, strides, dilations, pads, `output_padding`, `output_shape`; constant kernel and bias",
    ),
    "Cos": (TABLE, ""),
    "Cosh": (TABLE, ""),
    "CumProd": ("products", "constant axis of at most 64 cells"),
    "CumSum": ("requantise, free for integers", "constant axis of at most 1,024 cells"),
    "DFT": ("product", "real or complex, inverse or not, one-sided or not; constant axis and length, at most 4,096"),
    "DepthToSpace": (FREE, ""),
    "Det": ("products", "of at most 5 rows"),
    "DequantizeLinear": ("free or product", "constant scales and zero points, per tensor, axis or block"),
    "Div": (
        "product, quotient, free or table",
        "by a constant without zeros; by a single number it only changes the scale; by a computed tensor, where 0 counts as one unit; "
        "integers towards zero, by computed ones of at most 2^16 or by at most 64 distinct constants",
    ),
    "Dropout": (FREE, "inference only; its mask must be unused"),
    "Einsum": ("product", "an ellipsis and diagonals allowed; more than two operands one after another"),
    "Elu": (TABLE, ""),
    "Equal": (LOGIC, ""),
    "Erf": (TABLE, ""),
    "Exp": (TABLE, ""),
    "Expand": (FREE, "static shape"),
    "Flatten": (FREE, ""),
    "Floor": (TABLE, JUMPS),
    "GRU": ("unrolled", RECURRENT),
    "Gather": (
        "free or product",
        "constant indices, or rows of a constant or computed table by ids: one-hot ids times the table, public where they are an input",
    ),
    "GatherElements": ("free or product", MOVED + HOT),
    "GatherND": ("free or product", MOVED + HOT + "; no `batch_dims` then"),
    "Gelu": (TABLE, "both forms"),
    "Gemm": ("product", "`alpha`, `beta`, `transA`, `transB`; A, B and C constant or computed"),
    "GridSample": (
        "product, or products and a table a cell of an axis",
        "at constant places all modes, at most 2^22 weights; at computed ones linear over two axes, zeros or the border outside",
    ),
    "GlobalAveragePool": ("requantise", ""),
    "GlobalLpPool": ("tables, requantise", "any whole p; coarse for p > 2"),
    "GlobalMaxPool": ("maximum", ""),
    "Greater": (LOGIC, ""),
    "GreaterOrEqual": (LOGIC, ""),
    "GroupNormalization": ("rows", "constant or computed scale and bias"),
    "HardSigmoid": (TABLE, ""),
    "HardSwish": (TABLE, ""),
    "Hardmax": ("as ArgMax, and a table", ""),
    "Identity": (FREE, "tensors only"),
    "Imputer": ("free or a comparison", CLASSICAL + "NaN in floats, which a circuit never sees; one integer"),
    "InstanceNormalization": ("rows", "constant or computed scale and bias"),
    "IsInf": (FREE, "false: an input that is not finite is refused"),
    "IsNaN": (FREE, "false, as IsInf"),
    "LRN": ("table, product, requantise", ""),
    "LSTM": ("unrolled", RECURRENT + "; peepholes, `input_forget`"),
    "LayerNormalization": ("rows", "constant or computed scale and bias; without them one requantisation less"),
    "LeakyRelu": ("fused or requantise", ""),
    "Less": (LOGIC, ""),
    "LessOrEqual": (LOGIC, ""),
    "LinearAttention": ("unrolled", "all four rules; at most 256 steps; grouped heads, state in and out"),
    "LinearClassifier": ("product", CLASSICAL + "as LinearRegressor; labels as TreeEnsembleClassifier's"),
    "LinearRegressor": ("product", CLASSICAL + "post transforms NONE, LOGISTIC, SOFTMAX and SOFTMAX_ZERO"),
    "Log": (TABLE, "saturates at 0"),
    "LogSoftmax": ("rows", "any axis"),
    "LpNormalization": ("rows, or quotient for p = 1", ""),
    "LpPool": ("tables, requantise", "any whole p; coarse for p > 2"),
    "MatMul": ("product", "numpy's rules; by a constant, or of two computed tensors"),
    "MatMulInteger": ("product", "exact, with constant zero points"),
    "Max": ("maximum", "computed and constant operands; operands of another scale are requantised"),
    "MaxUnpool": ("product", "computed or constant indices of a MaxPool; at most 2^20 indices times cells of a plane"),
    "MaxPool": (
        "maximum",
        "1 to 3 spatial axes; strides, pads, dilations, `auto_pad`, `ceil_mode`; `Indices`, with neither of "
        "the latter, by ArgMax over each window",
    ),
    "Mean": ("requantise", ""),
    "MeanVarianceNormalization": ("rows", "any axes"),
    "Min": ("maximum", "as Max"),
    "Mish": (TABLE, ""),
    "Mod": (
        "fused, requantise or quotient",
        "by constants, at most 64 distinct; integers by computed ones of at most 2^16; with `fmod` or without; " + JUMPS,
    ),
    "Mul": ("product or free", "of two computed tensors, or one and a constant; by a single number it only changes the scale"),
    "Neg": (FREE, ""),
    "Normalizer": ("as its sum or maximum and Div", CLASSICAL),
    "Not": (FREE, ""),
    "OneHot": (LOGIC, "integer ids, constant depth and values; of ids that are an input free: the verifier computes them"),
    "Or": (LOGIC, ""),
    "PRelu": ("table, or 2 tables and a product", "constant or computed slopes"),
    "Pad": (FREE, "constant, edge, reflect and wrap; constant pads; a finite constant value"),
    "Pow": (TABLE, "constant exponents, at most 64 distinct"),
    "QLinearConv": ("product and table", "exact integer products; at most 64 output scales"),
    "QLinearMatMul": ("product and table", "exact integer products; one scale each"),
    "QuantizeLinear": (TABLE, "constant scales and zero points, at most 64 different ones; halves to the even number; " + JUMPS),
    "RMSNormalization": ("rows", "constant or computed scale"),
    "RNN": ("unrolled", RECURRENT),
    "Reciprocal": (TABLE, "saturates at 0"),
    "ReduceL1": ("table, requantise", "static axes"),
    "ReduceL2": ("as its parts", ""),
    "ReduceLogSum": ("requantise, table", "static axes"),
    "ReduceLogSumExp": ("maximum, requantise, 2 tables", "static axes"),
    "ReduceMax": ("maximum", "static axes"),
    "ReduceMean": ("requantise", "static axes"),
    "ReduceMin": ("maximum", "static axes"),
    "ReduceProd": ("products", "static axes of at most 16 cells"),
    "ReduceSum": ("requantise, free for integers", "static axes"),
    "ReduceSumSquare": ("table, requantise", "static axes"),
    "Relu": ("fused or requantise", ""),
    "Reshape": (FREE, "static shape"),
    "Resize": ("free or product", "constant scales or sizes; nearest, linear and cubic; `tf_crop_and_resize` to constant sizes"),
    "ReverseSequence": (FREE, "constant lengths"),
    "Round": (TABLE, "halves to the even number; " + JUMPS),
    "RotaryEmbedding": ("products", "constant or computed tables and positions; both layouts of pairs, a part of the cells, 3 and 4 axes"),
    "STFT": ("product", "constant window, step and frame length; real or complex"),
    "Scaler": ("product", CLASSICAL + "an input that is only scaled has 22 bits"),
    "Scatter": ("free or products", "as ScatterElements, which replaced it"),
    "ScatterElements": ("free, sums, products or maxima", MOVED + "; a reduction of at most 64 updates a cell" + HOT),
    "ScatterND": ("free, sums, products or maxima", MOVED + "; a reduction of at most 64 updates a cell" + HOT),
    "Selu": (TABLE, ""),
    "Shrink": (TABLE, JUMPS),
    "Sigmoid": ("fused or requantise", "one table for all uses in a model"),
    "Sign": (LOGIC, ""),
    "Sin": (TABLE, ""),
    "Sinh": (TABLE, ""),
    "Slice": (FREE, "constant starts, ends, axes and steps; negative steps allowed"),
    "Softmax": (
        "rows",
        "any axis; cells to which a constant, or a choice by bits, of at most -1000 is added are masked: left out; a mask that is an "
        "integer input needs the range (0, 1)",
    ),
    "Softplus": (TABLE, ""),
    "Softsign": (TABLE, ""),
    "SpaceToDepth": (FREE, ""),
    "Split": (FREE, "constant lengths"),
    "Sqrt": (TABLE, "0 for negative arguments"),
    "Squeeze": (FREE, ""),
    "Sub": ("fused, requantise or free", "as Add"),
    "Sum": ("fused or requantise", ""),
    "SwiGLU": ("table, product", ""),
    "Swish": (TABLE, ""),
    "Tan": (TABLE, "saturates at its poles"),
    "Tanh": ("fused or requantise", "one table for all uses in a model"),
    "ThresholdedRelu": (TABLE, JUMPS),
    "TensorScatter": ("products", "computed or constant positions; both modes"),
    "Tile": (FREE, "constant repeats"),
    "TopK": ("k times ArgMax", "constant k of at most 64"),
    "Transpose": (FREE, ""),
    "TreeEnsemble": (TREES, CLASSICAL + "all modes, all aggregates; post transforms NONE, LOGISTIC, SOFTMAX and SOFTMAX_ZERO"),
    "TreeEnsembleClassifier": (
        TREES,
        CLASSICAL + "as TreeEnsemble; labels that are texts are put out as their numbers, which the report explains",
    ),
    "TreeEnsembleRegressor": (TREES, CLASSICAL + "as TreeEnsemble"),
    "Trilu": (FREE, "constant diagonal; at most 2^20 cells"),
    "Unsqueeze": (FREE, ""),
    "Upsample": ("free or product", "constant scales"),
    "Where": ("product, fused or requantise", ""),
    "Xor": (LOGIC, ""),
    "ZipMap": (FREE, CLASSICAL + "dropped: probabilities stay a tensor"),
}
"""Cost class and limits by operator."""


def supported_table() -> str:
    """One row per supported operator."""
    from ciro_zk.compiler import supported_operators

    operators = supported_operators()
    missing, surplus = sorted(set(operators) - set(NOTES)), sorted(set(NOTES) - set(operators))
    if missing or surplus:
        raise SystemExit(f"NOTES lacks {missing} and has {surplus} that the compiler does not know")
    rows = ["| operator | schema versions | cost | limits and remarks |", "|---|---|---|---|"]
    for name, versions in operators.items():
        cost, remark = NOTES[name]
        rows.append(f"| {name} | {', '.join(map(str, versions))} | {cost} | {remark} |")
    return "\n".join(rows)


def hints_table() -> str:
    """One row per operator for which the compiler has advice."""
    from ciro_zk.compiler.lower import HINTS

    return "\n".join(["| operator | advice |", "|---|---|", *(f"| {name} | {hint} |" for name, hint in sorted(HINTS.items()))])


def rendered(page: str) -> str:
    """The page with its tables renewed."""
    for marker, table in (("supported", supported_table()), ("hints", hints_table())):
        pattern = rf"(<!-- {marker} -->\n).*?(<!-- /{marker} -->)"
        page, count = re.subn(pattern, lambda found, t=table: f"{found[1]}{t}\n{found[2]}", page, flags=re.DOTALL)
        if count != 1:
            raise SystemExit(f"{PAGE.name} must have the markers of {marker!r} once")
    return page


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line above."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--check", action="store_true", help="exit 1 if the page is not current")
    check = parser.parse_args(arguments).check
    page = PAGE.read_text()
    renewed = rendered(page)
    if check:
        return int(renewed != page)
    PAGE.write_text(renewed)
    return 0


if __name__ == "__main__":
    sys.path.insert(0, str(PAGE.parents[1]))
    raise SystemExit(main())
