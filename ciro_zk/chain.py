"""A chain of proofs: one step each of a recurrent computation, whose state the proofs hand on as public tensors.

Step i maps (input_i, s_i) to (output_i, t_i). The chain proves that s_(i+1) = t_i for all i: every proof holds, and the
integers of each state going in equal those of the state that came out one step before, cell by cell. Nothing else binds
the steps, so a step left out, repeated or moved shows as a state that differs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ciro_zk.circuit.graph import Port
from ciro_zk.errors import InputError, ProofRejected
from ciro_zk.program.keys import VerifyingKey
from ciro_zk.program.program import Program
from ciro_zk.program.public import quantise
from ciro_zk.proof import Proof
from ciro_zk.verifier import Verified, verify

Integers = NDArray[np.int64]
States = dict[str, Integers]


def verify_chain(
    vk: VerifyingKey,
    proofs: Sequence[Proof],
    *,
    state: Mapping[str, str],
    initial: Mapping[str, ArrayLike] | None = None,
    allow_testing: bool = False,
    accelerate: bool = False,
) -> tuple[Verified, ...]:
    """Check that every proof holds and that each step starts from the state that the step before ended with.

    Parameters
    ----------
    vk : VerifyingKey
        The registered model's key. Its circuit was compiled with the same `state`, so that both ends have one scale.
    proofs : sequence of Proof
        In order. The inferences of a batch are steps in their order.
    state : dict
        The output that holds the new state by the input that takes it.
    initial : dict, optional
        Real values that the first step's state must have, by input name. Without it the chain may start anywhere: look
        at the first verdict's inputs.
    allow_testing, accelerate : bool
        As for `verify`.

    Returns
    -------
    tuple of Verified
        One for each proof.

    Raises
    ------
    ProofRejected
        A proof is false, or its state differs (stage "chain"); the reason names its position, from 0.
    ProofFormatError
        The bytes are no proof.
    InputError
        No proofs, or the key's inputs and outputs cannot be linked so.
    """
    links = _links(vk.program, state)
    if not proofs:
        raise InputError("a chain has at least one proof", field="proofs", remedy="give the proofs in order")
    first = dict(initial or {})
    expected = {port.name: _initial(vk.program, port, first[port.name]) for port, _ in links if port.name in first}
    surplus = sorted(set(first) - {port.name for port, _ in links})
    if surplus:
        raise InputError("is no input that takes a state", field=f"initial[{surplus[0]!r}]", remedy="give states only")
    verdicts = []
    for position, proof in enumerate(proofs):
        try:
            verified = verify(vk, proof, allow_testing=allow_testing, accelerate=accelerate)
        except ProofRejected as error:
            reason = f"proof {position} of the chain: {error.reason}"
            raise ProofRejected(error.stage, reason, error.round, error.expected, error.actual) from error
        for index in range(proof.batch):
            _check(position, index, expected, _step(verified.integer_inputs, proof.batch, index))
            outputs = _step(verified.integer_outputs, proof.batch, index)
            expected = {port.name: outputs[target.name] for port, target in links}
        verdicts.append(verified)
    return tuple(verdicts)


def _links(program: Program, state: Mapping[str, str]) -> list[tuple[Port, Port]]:
    """(input, output) ports by name, of one size and scale."""
    graph = program.graph
    inputs, outputs = ({port.name: port for port in ports} for ports in (graph.inputs, graph.outputs))
    if not state:
        raise InputError("a chain hands on at least one state", field="state", remedy="pass {input: output}")
    found = []
    for source, target in state.items():
        field = f"state[{source!r}]"
        if source not in inputs:
            raise InputError("the model has no such input", field=field, remedy=f"its inputs are: {', '.join(inputs)}")
        if target not in outputs:
            raise InputError(f"the model has no output {target!r}", field=field, remedy=f"its outputs are: {', '.join(outputs)}")
        taken, made = inputs[source], outputs[target]
        if graph.tensors[taken.tensor].size != graph.tensors[made.tensor].size:
            raise InputError(f"{target!r} has another number of cells", field=field, remedy="link a state to its own new value")
        if taken.scale != made.scale:
            message = f"one unit is {taken.scale:.6g} going in and {made.scale:.6g} coming out"
            raise InputError(message, field=field, remedy="compile the model with the same state=, and set it up again")
        found.append((taken, made))
    return found


def _initial(program: Program, port: Port, values: ArrayLike) -> Integers:
    """The first state's integers."""
    return quantise(port, program.graph.tensors[port.tensor], np.asarray(values, dtype=np.float64)).reshape(-1)


def _step(values: Mapping[str, Integers], batch: int, index: int) -> States:
    """The flat public tensors of one inference."""
    return {name: (value if batch == 1 else value[index]).reshape(-1) for name, value in values.items()}


def _check(position: int, index: int, expected: Mapping[str, Integers], inputs: States) -> None:
    """`ProofRejected` unless the step's states are those expected."""
    for name, wanted in expected.items():
        different = np.nonzero(wanted != inputs[name])[0]
        if different.size:
            cell = int(different[0])
            step = f"proof {position}" + (f", inference {index}" if index else "")
            before = "the initial state" if position == index == 0 else "the state of the step before"
            raise ProofRejected(
                "chain",
                f"{step} of the chain: {name!r} is not {before}, it differs in cell {cell}",
                expected=int(wanted[cell]),
                actual=int(inputs[name][cell]),
            )
