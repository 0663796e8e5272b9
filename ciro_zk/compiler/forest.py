"""Decision trees of the ai.onnx.ml operators in one form: decisions x[f] <= t, and leaves as conjunctions of them.

    TreeEnsembleClassifier, TreeEnsembleRegressor      versions 1 and 3: nodes by (tree, node) ids, weights by leaf
    TreeEnsemble                                       version 5: nodes and leaves by index

A leaf has a list of (decision, sign): +1 where the path takes the true branch, -1 where the false one. x < t, x >= t,
x > t, x = t and x != t become one or two decisions of the form x <= t: whether equality counts is part of the decision. A
test for membership in a set takes two for each member.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

Floats = NDArray[np.float64]
MAX_LEAVES = 1 << 18
MAX_DEPTH = 1 << 10
MODES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ", "BRANCH_MEMBER")
LEAF = "LEAF"
POST = ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT")
AGGREGATES = ("AVERAGE", "SUM", "MIN", "MAX")


@dataclass(frozen=True, slots=True, order=True)
class Decision:
    """x[feature] <= threshold, or < threshold where `strict`."""

    feature: int
    threshold: float
    strict: bool


Path = tuple[tuple[int, int], ...]
"""(decision, +1 or -1)."""
Members = tuple[float, ...]
"""The set that a node of mode BRANCH_MEMBER tests for."""


@dataclass(slots=True)
class Forest:
    """All trees of a node."""

    targets: int
    aggregate: str
    post: str
    base: Floats
    """(targets,)"""
    num_trees: int = 0
    paths: list[Path] = field(default_factory=list)
    """Of every leaf."""
    trees: list[int] = field(default_factory=list)
    """The tree of every leaf."""
    values: list[dict[int, float]] = field(default_factory=list)
    """By target, of every leaf."""
    numbers: dict[Decision, int] = field(default_factory=dict)

    @property
    def decisions(self) -> list[Decision]:
        return list(self.numbers)

    def decide(self, decision: Decision) -> int:
        """The number of a decision, the same for equal ones of all trees."""
        return self.numbers.setdefault(decision, len(self.numbers))

    def leaf(self, tree: int, path: Path, values: dict[int, float]) -> None:
        if len(self.paths) >= MAX_LEAVES:
            raise ValueError(f"more than {MAX_LEAVES} leaves")
        if any(not 0 <= target < self.targets for target in values):
            raise ValueError("a leaf has a weight for a target that is not there")
        signs = dict(path)
        if any(signs[decision] != sign for decision, sign in path):
            return  # no input comes here
        self.paths.append(tuple(signs.items()))
        self.trees.append(tree)
        self.values.append(values)

    def branch(self, feature: int, threshold: float | Members, mode: str) -> list[tuple[Path, bool]]:
        """The disjoint ways through a node, each with the branch that it takes."""
        if isinstance(threshold, tuple):
            return self._member(feature, threshold)

        def way(sign: int, strict: bool, taken: bool) -> tuple[Path, bool]:
            return ((self.decide(Decision(feature, threshold, strict)), sign),), taken

        if mode in ("BRANCH_LEQ", "BRANCH_GT"):
            return [way(1, False, mode == "BRANCH_LEQ"), way(-1, False, mode != "BRANCH_LEQ")]
        if mode in ("BRANCH_LT", "BRANCH_GTE"):
            return [way(1, True, mode == "BRANCH_LT"), way(-1, True, mode != "BRANCH_LT")]
        if mode in ("BRANCH_EQ", "BRANCH_NEQ"):
            equal = (*way(1, False, True)[0], *way(-1, True, True)[0])
            return [(equal, mode == "BRANCH_EQ"), way(1, True, mode != "BRANCH_EQ"), way(-1, False, mode != "BRANCH_EQ")]
        raise ValueError(f"mode {mode!r} of a tree's node")

    def _member(self, feature: int, members: Members) -> list[tuple[Path, bool]]:
        """Through each member, and through each gap between them."""
        found: list[tuple[Path, bool]] = []
        below: Path = ()
        for value in sorted(set(members)):
            least, most = self.decide(Decision(feature, value, True)), self.decide(Decision(feature, value, False))
            found += [((*below, (least, 1)), False), (((least, -1), (most, 1)), True)]
            below = ((most, -1),)
        return [*found, (below, False)]


def attributes(node: onnx.NodeProto) -> dict[str, Any]:
    """Attributes by name, tensors as arrays, `NAME_as_tensor` under NAME."""
    found: dict[str, Any] = {}
    for entry in node.attribute:
        value = onnx.helper.get_attribute_value(entry)
        if isinstance(value, onnx.TensorProto):
            value = numpy_helper.to_array(value)
        if isinstance(value, bytes):
            value = value.decode()
        elif isinstance(value, list):
            value = [v.decode() if isinstance(v, bytes) else v for v in value]
        found[entry.name.removesuffix("_as_tensor")] = value
    return found


def read_forest(node: onnx.NodeProto) -> Forest:
    """The trees of any of the three operators. `ValueError` for a node that is no forest."""
    given = attributes(node)
    return (
        _indexed(given) if node.op_type == "TreeEnsemble" else _listed(given, "target" if node.op_type.endswith("Regressor") else "class")
    )


def _base(values: Sequence[float], targets: int) -> Floats:
    base = np.asarray(values if len(values) else np.zeros(targets), dtype=np.float64)
    if base.size not in (1, targets):
        raise ValueError(f"{base.size} base values for {targets} targets")
    return np.broadcast_to(base, (targets,))


def _listed(given: dict[str, Any], kind: str) -> Forest:
    """Versions 1 and 3. Labels tell the targets of a classifier; one target for two labels stays one here."""
    trees, nodes = given["nodes_treeids"], given["nodes_nodeids"]
    place = {key: i for i, key in enumerate(zip(trees, nodes, strict=True))}
    if len(place) != len(trees):
        raise ValueError("two nodes of a tree have one id")
    ids = [int(v) for v in given[f"{kind}_ids"]]
    if kind == "target":
        targets = int(given["n_targets"])
    else:
        targets = max(len(given.get("classlabels_int64s") or given.get("classlabels_strings") or ()), max(ids, default=0) + 1)
    weights: dict[tuple[int, int], dict[int, float]] = {}
    for key_tree, key_node, target, weight in zip(
        given[f"{kind}_treeids"], given[f"{kind}_nodeids"], ids, given[f"{kind}_weights"], strict=True
    ):
        found = weights.setdefault((key_tree, key_node), {})
        found[target] = found.get(target, 0.0) + float(weight)
    forest = Forest(
        targets, given.get("aggregate_function", "SUM"), given.get("post_transform", "NONE"), _base(given.get("base_values", ()), targets)
    )
    order = list(dict.fromkeys(trees))
    children = {i: ((trees[i], given["nodes_truenodeids"][i]), (trees[i], given["nodes_falsenodeids"][i])) for i in range(len(trees))}
    inner = {place[child] for i in place.values() if given["nodes_modes"][i] != LEAF for child in children[i]}
    for number, tree in enumerate(order):
        roots = [i for i in place.values() if trees[i] == tree and i not in inner]
        if len(roots) != 1:
            raise ValueError(f"tree {tree} has {len(roots)} roots")

        def visit(i: int) -> Any:
            if given["nodes_modes"][i] == LEAF:
                return weights.get((trees[i], nodes[i]), {})
            return given["nodes_featureids"][i], float(given["nodes_values"][i]), given["nodes_modes"][i], *(place[c] for c in children[i])

        _walk(forest, number, roots[0], visit)
    forest.num_trees = len(order)
    return forest


def _indexed(given: dict[str, Any]) -> Forest:
    """Version 5."""
    targets = int(given["n_targets"])
    forest = Forest(
        targets, AGGREGATES[int(given.get("aggregate_function", 1))], POST[int(given.get("post_transform", 0))], np.zeros(targets)
    )
    leaves, leaf_targets = np.asarray(given["leaf_weights"], dtype=np.float64).reshape(-1), given["leaf_targetids"]
    splits = np.asarray(given["nodes_splits"], dtype=np.float64).reshape(-1)
    modes = np.asarray(given["nodes_modes"]).reshape(-1)
    sets = iter(_members(np.asarray(given.get("membership_values", ()), dtype=np.float64).reshape(-1)))
    of_node = {i: next(sets) for i in range(len(modes)) if MODES[int(modes[i])] == "BRANCH_MEMBER"}

    def visit(place: tuple[bool, int]) -> Any:
        is_leaf, i = place
        if is_leaf:
            return {int(leaf_targets[i]): float(leaves[i])}
        true = (bool(given["nodes_trueleafs"][i]), int(given["nodes_truenodeids"][i]))
        false = (bool(given["nodes_falseleafs"][i]), int(given["nodes_falsenodeids"][i]))
        return given["nodes_featureids"][i], of_node.get(i, float(splits[i])), MODES[int(modes[i])], true, false

    for number, root in enumerate(given["tree_roots"]):
        # a tree of one leaf: both branches of its root are that leaf
        i = int(root)
        single = (
            given["nodes_trueleafs"][i] and given["nodes_falseleafs"][i] and given["nodes_truenodeids"][i] == given["nodes_falsenodeids"][i]
        )
        _walk(forest, number, (True, int(given["nodes_truenodeids"][i])) if single else (False, i), visit)
    forest.num_trees = len(given["tree_roots"])
    return forest


def _members(values: Floats) -> list[Members]:
    """Sets, each but the last ended by a NaN."""
    ends = [*np.flatnonzero(np.isnan(values)), len(values)]
    starts = [0, *(int(end) + 1 for end in ends[:-1])]
    found = [tuple(float(v) for v in values[start:end]) for start, end in zip(starts, ends, strict=True)]
    return found if found[-1] else found[:-1]


def _walk(forest: Forest, tree: int, root: Any, visit: Callable[[Any], Any]) -> None:
    """All leaves below a root; `visit` gives a leaf's values, or (feature, threshold, mode, true child, false child)."""
    stack: list[tuple[Any, Path]] = [(root, ())]
    while stack:
        place, path = stack.pop()
        if len(path) > MAX_DEPTH:
            raise ValueError("a tree is too deep, or goes round in a circle")
        found = visit(place)
        if isinstance(found, dict):
            forest.leaf(tree, path, found)
            continue
        feature, threshold, mode, true, false = found
        for literals, taken in reversed(forest.branch(int(feature), threshold, mode)):
            stack.append((true if taken else false, (*path, *literals)))
