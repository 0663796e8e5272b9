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
NOTES: dict[str, tuple[str, str]] = {
    "Add": ("fused, requantise or free", "two computed tensors, or one and a constant; broadcasting"),
    "AveragePool": ("requantise", "1 to 3 spatial axes; strides, pads, dilations, `auto_pad`, `ceil_mode`, `count_include_pad`"),
    "BatchNormalization": ("fused or product", "inference only; folded into the convolution or product before it where that is possible"),
    "Cast": (FREE, "to float types only, from floats, integers or bool"),
    "Clip": ("fused or requantise", "constant bounds, either may be missing"),
    "Concat": (FREE, "pieces of another scale are requantised; constant pieces allowed"),
    "Conv": ("product", "1 to 3 spatial axes; groups, strides, dilations, pads, `auto_pad`; constant kernel and bias; no negative pads"),
    "Div": ("product or free", "by a constant without zeros; by a single number it only changes the scale"),
    "Dropout": (FREE, "inference only; its mask must be unused"),
    "Expand": (FREE, "static shape"),
    "Flatten": (FREE, ""),
    "Gemm": ("product", "`alpha`, `beta`, `transA`, `transB`; A, B and C constant or computed"),
    "GlobalAveragePool": ("requantise", ""),
    "GlobalMaxPool": ("maximum", ""),
    "GroupNormalization": ("rows", "constant scale and bias"),
    "Identity": (FREE, "tensors only"),
    "InstanceNormalization": ("rows", "constant scale and bias"),
    "LayerNormalization": ("rows", "constant scale and bias; one output; without them one requantisation less"),
    "LeakyRelu": ("fused or requantise", "slopes from 0 to 1"),
    "LogSoftmax": ("rows", "any axis"),
    "LpNormalization": ("rows", "p = 2"),
    "MatMul": ("product", "numpy's rules; by a constant, or of two computed tensors"),
    "MaxPool": ("maximum", "1 to 3 spatial axes; strides, pads, dilations, `auto_pad`, `ceil_mode`; no `Indices` output"),
    "Mul": ("product or free", "by a constant, or of two computed tensors; by a single number it only changes the scale"),
    "Neg": (FREE, ""),
    "Pad": (FREE, "constant, edge, reflect and wrap; constant pads; a finite constant value"),
    "RMSNormalization": ("rows", "constant scale"),
    "ReduceMean": ("requantise", "static axes"),
    "Relu": ("fused or requantise", ""),
    "Reshape": (FREE, "static shape"),
    "Sigmoid": ("fused or requantise", "one table for all uses in a model"),
    "Slice": (FREE, "constant starts, ends, axes and steps; negative steps allowed"),
    "Softmax": ("rows", "any axis; cells to which a constant of at most -1000 is added are masked: left out, not computed"),
    "Squeeze": (FREE, ""),
    "Sub": ("fused, requantise or free", "as Add"),
    "Sum": ("fused or requantise", "computed operands only"),
    "Tanh": ("fused or requantise", "one table for all uses in a model"),
    "Transpose": (FREE, ""),
    "Unsqueeze": (FREE, ""),
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
