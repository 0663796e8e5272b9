"""From ONNX nodes to steps. All nodes that cannot be lowered are collected and raised at once."""

from __future__ import annotations

from collections.abc import Mapping

import onnx
from onnx import defs

from ciro_zk.compiler import steps
from ciro_zk.compiler.expand import EXPANSIONS
from ciro_zk.compiler.lower import activation, convolution, dense, division, elementwise, layout, logic, order, pooling, rows, trees
from ciro_zk.compiler.lower.compositions import Composition, compositions
from ciro_zk.compiler.lower.patterns import Norm, Shares, norms, softmaxes
from ciro_zk.compiler.lower.registry import REGISTRY, NodeView, Program, Refused, as_floats
from ciro_zk.compiler.static import DOMAINS, Static, domain_of, label, names_used, schema_of
from ciro_zk.errors import UnsupportedNode, UnsupportedOperator

__all__ = ["Program", "lower", "supported_operators"]

_FAMILIES = (activation, convolution, dense, division, elementwise, layout, logic, order, pooling, rows, trees)

QUANTISED = "scales chosen at run time are no fixed circuit: export the float model, or use static QDQ"
HINTS = {
    "LabelEncoder": "leave it out of the model: map the labels after verification",
    "DynamicQuantizeLinear": QUANTISED,
    "If": "export the model with the branch fixed",
    "Loop": "unroll it when exporting",
    "Scan": "scan axes of static lengths of at most 1024",
}


def supported_operators() -> dict[str, tuple[int, ...]]:
    """ONNX operators that can be proven, with the schema versions accepted; operators on constants are folded whatever they are."""
    versions: dict[str, set[int]] = {}
    for registry in (REGISTRY, EXPANSIONS):
        for op, entry in registry.items():
            versions.setdefault(op, set()).update(entry.versions)
    return {op: tuple(sorted(found)) for op, found in sorted(versions.items())}


def _needed(static: Static, wholes: Mapping[str, Norm | Shares | Composition]) -> list[onnx.NodeProto]:
    """The nodes that an output depends on; what was written as its parts depends on its source alone."""
    wanted = {value.name for value in static.model.proto.graph.output}
    found = []
    for node in reversed(static.nodes):
        if wanted & set(node.output):
            found.append(node)
            whole = wholes.get(node.output[0])
            wanted |= names_used(node) if whole is None else {whole.source}
    return found[::-1]


def lower(static: Static) -> Program:
    """The steps of a folded model; `UnsupportedOperator` lists every node that has none."""
    program = Program(dict(static.inputs))
    aliases: dict[str, str] = {}
    refused = []
    wholes: dict[str, Norm | Shares | Composition] = {**compositions(static), **norms(static), **softmaxes(static)}
    for node in _needed(static, wholes):
        opset = static.model.opsets.get("" if node.domain == "ai.onnx" else node.domain, 0)
        try:
            whole = wholes.get(node.output[0])
            if isinstance(whole, Norm):
                rows.norm(NodeView(node, 0, static, program, aliases), whole)
            elif isinstance(whole, Shares):
                rows.shares(NodeView(node, 0, static, program, aliases), whole)
            elif whole is not None:
                activation.composition(NodeView(node, 0, static, program, aliases), whole)
            else:
                _lower_node(node, static, program, aliases)
        except Refused as error:
            refused.append(UnsupportedNode(label(node), node.op_type, node.domain, opset, error.reason, error.hint))
    if refused:
        raise UnsupportedOperator(refused, file=static.model.file)
    program.tied = [frozenset(aliases.get(name, name) for name in group) for group in static.tied]
    for value in static.model.proto.graph.output:
        name = aliases.get(value.name, value.name)
        if name in static.constants:
            array = as_floats(static.constants[name], f"output {name!r}")
            exact = static.constants[name].dtype.kind != "f"
            fixed = f"{value.name}#fixed"
            step = steps.Fixed(node=value.name, inputs=(), output=fixed, shape=array.shape, statistic="", exact=exact, value=array)
            program.steps.append(step)
            name = step.output
        program.outputs.append((value.name, name))
    return program


def _lower_node(node: onnx.NodeProto, static: Static, program: Program, aliases: dict[str, str]) -> None:
    if domain_of(node) not in DOMAINS:
        raise Refused(f"operators of the domain {node.domain!r} are not supported", "export with standard ONNX operators")
    entry = REGISTRY.get(node.op_type)
    try:
        version = schema_of(static.model, node).since_version
    except defs.SchemaError as error:
        raise Refused("the installed onnx knows no such operator", "upgrade onnx, or use a standard operator") from error
    reason, hint = static.kept.get(label(node), ("", ""))
    if reason:
        raise Refused(reason, hint)
    if entry is None or entry.domain != domain_of(node):
        raise Refused("there is no circuit for this operator", HINTS.get(node.op_type, ""))
    if version not in entry.versions:
        known = ", ".join(str(v) for v in sorted(entry.versions))
        raise Refused(f"version {version} of its schema is not known", f"versions {known} are; export with another opset")
    if any(name and name not in static.shapes and name not in aliases for name in node.input):
        return  # behind a node that is refused itself, or one whose output shape depends on data
    missing = [name for name in node.output[:1] if name not in static.shapes]
    if missing:
        raise Refused("its output's shape depends on data", "use static shapes")
    try:
        entry.lowering(NodeView(node, version, static, program, aliases))
    except (ValueError, TypeError, IndexError, KeyError, OverflowError) as error:
        # attributes or constants that ONNX's checker lets pass though they contradict the operator's definition
        reason = " ".join(str(error).split())[:200]
        raise Refused(f"its attributes or constants contradict one another: {reason}", "export the model again") from error
