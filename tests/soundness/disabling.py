"""Take one check out of the verifier: recompile a function without one of its statements, and list all the checks there are."""

from __future__ import annotations
import __future__

import ast
import importlib
import inspect
import sys
import textwrap
from collections.abc import Iterator
from typing import Any

import pytest

CHECKING_CALLS = (
    "check_final",
    "receive_work",
    "verify_multi",
    "take",
    "finish",
    "check_public",
    "check_given",
    "check_registration",
    "ledger.add",
    "added.append",
)
"""Functions whose call is a check; each call must have an attack of its own."""


_LINES: dict[str, list[str]] = {}


def _source(function: Any) -> str:
    """A function's source as the file was when it was first asked for: a file that is edited meanwhile does not mix with loaded code."""
    name = function.__code__.co_filename
    if name not in _LINES:
        with open(name, encoding="utf-8") as file:
            _LINES[name] = file.readlines()
    return textwrap.dedent("".join(inspect.getblock(_LINES[name][function.__code__.co_firstlineno - 1 :])))


def remember(*modules: str) -> None:
    """Read the sources of these modules now."""
    for module in modules:
        for name, value in inspect.getmembers(importlib.import_module(module), inspect.isfunction):
            if value.__module__ == module and name:
                _source(value)


def _function(owner: Any, name: str) -> Any:
    found = inspect.getattr_static(owner, name)
    return found.__func__ if isinstance(found, staticmethod) else found


class _Remove(ast.NodeTransformer):
    """Drops the innermost `if` that holds a raise with the needle, or else the statement (a call, a sum) with it."""

    def __init__(self, needle: str) -> None:
        self.needle, self.removed = needle, 0

    def _hit(self, node: ast.AST) -> bool:
        return self.needle in ast.unparse(node)

    def visit_If(self, node: ast.If) -> Any:
        if any(isinstance(inner, ast.Raise) and self._hit(inner) for inner in node.body):
            self.removed += 1
            return ast.Pass()
        return self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> Any:
        return self._statement(node)

    def visit_Assign(self, node: ast.Assign) -> Any:
        return self._statement(node)

    def _statement(self, node: ast.Expr | ast.Assign) -> Any:
        if isinstance(node.value, ast.Call | ast.BinOp) and self._hit(node):
            self.removed += 1
            return ast.Pass()
        return node


def without(patch: pytest.MonkeyPatch, owner: Any, name: str, *needles: str) -> None:
    """Replace `owner.name` by itself without the one check (an `if` that raises, a call, a sum) whose source holds each needle."""
    function = _function(owner, name)
    tree = ast.parse(_source(function))
    for needle in needles:
        remover = _Remove(needle)
        tree = ast.fix_missing_locations(remover.visit(tree))
        if remover.removed != 1:
            raise LookupError(f"{owner.__name__}.{name}: {remover.removed} checks hold {needle!r}, not one")
    code = compile(tree, function.__code__.co_filename, "exec", flags=__future__.annotations.compiler_flag)
    made: dict[str, Any] = {}
    exec(code, function.__globals__, made)  # noqa: S102  our own source, a check short
    patch.setattr(owner, name, made[name])
    for module in [m for key, m in sys.modules.items() if key.startswith("ciro_zk.") and m is not owner]:
        if getattr(module, name, None) is function:  # imported by name
            patch.setattr(module, name, made[name])


def _calls(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Raise):
            yield "raise", inner
        elif isinstance(inner, ast.Call):
            called = ast.unparse(inner.func)
            if any(called == name or called.endswith(f".{name}") for name in CHECKING_CALLS):
                yield "call", inner


def checks_of(module: str, names: tuple[str, ...] | None = None) -> list[tuple[str, str]]:
    """(module.function, source on one line) of every raise and checking call in a module, or in the functions and classes named."""
    tree = ast.parse(inspect.getsource(importlib.import_module(module)))
    found: list[tuple[str, str]] = []
    for top in tree.body:
        if not isinstance(top, ast.FunctionDef | ast.ClassDef) or (names is not None and top.name not in names):
            continue
        functions = (
            [(top.name, top)]
            if isinstance(top, ast.FunctionDef)
            else [(f"{top.name}.{f.name}", f) for f in top.body if isinstance(f, ast.FunctionDef)]
        )
        for name, function in functions:
            found += [(f"{module}.{name}", " ".join(ast.unparse(node).split())) for _, node in _calls(function)]
    return found


remember(
    "ciro_zk.verifier",
    "ciro_zk.lookup.verifier",
    "ciro_zk.sumcheck.verifier",
    "ciro_zk.commitment.verifier",
    "ciro_zk.hash.merkle",
    "ciro_zk.program.public",
    "ciro_zk.program.statement",
)
