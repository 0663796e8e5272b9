"""What our verifier computes on its way, for the vectors: every state of the transcript, every claim and value.

Field elements are the hexadecimal of their 16 bytes in a proof, states and digests of their 32 bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from inspect import signature
from typing import Any
from unittest.mock import patch

import ciro_zk.commitment.verifier as opening
from ciro_zk import verifier
from ciro_zk.circuit.claims import ClaimLedger, Form, Sample
from ciro_zk.errors import ProofFormatError, ProofRejected
from ciro_zk.field.extension import Ext
from ciro_zk.hash.transcript import VerifierTranscript
from ciro_zk.program.keys import VerifyingKey
from ciro_zk.program.program import Program
from ciro_zk.proof import Proof

Json = dict[str, Any]


def element(value: Ext) -> str:
    """An extension element in hexadecimal."""
    return bytes(value).hex()


def elements(values: Sequence[Ext]) -> list[str]:
    return [element(value) for value in values]


@dataclass
class Log:
    """One run of the verifier."""

    steps: list[list[Any]] = field(default_factory=list)
    """["absorb", label, number of bytes, state after] or ["draw", label, words, state after]"""
    values: Json = field(default_factory=dict)
    claims: list[Json] = field(default_factory=list)
    rounds: list[Json] = field(default_factory=list)
    finals: list[Json] = field(default_factory=list)
    form_values: list[Json] = field(default_factory=list)

    def draw(self, label: str) -> list[int]:
        """The words of the first draw of a label."""
        return next(words for kind, name, words, _ in self.steps if (kind, name) == ("draw", label))

    @property
    def last_state(self) -> str:
        return self.steps[-1][3] if self.steps else ""


def form_entry(form: Form) -> list[Json]:
    """(tensor, coefficient, total of the weights) of every term."""
    from ciro_zk.poly.linear_form import ones_value

    return [{"tensor": tensor, "coefficient": element(term.coefficient), "ones": element(ones_value(term))} for tensor, term in form]


@contextmanager
def recording(log: Log) -> Iterator[None]:
    """Everything that a verifier does inside is logged."""

    class Transcript(VerifierTranscript):
        def absorb(self, label: str, data: bytes) -> None:
            super().absorb(label, data)
            log.steps.append(["absorb", label, len(data), self._state.hex()])

        def _words(self, label: str, count: int) -> list[int]:
            words = super()._words(label, count)
            log.steps.append(["draw", label, words, self._state.hex()])
            return words

    class Ledger(ClaimLedger):
        def add(self, name: str, form: Form | Sample, value: Ext) -> None:
            super().add(name, form, value)
            terms = {"point": elements(form.point)} if isinstance(form, Sample) else {"form": form_entry(form)}
            log.claims.append({"name": name, "value": element(value)} | terms)

    def fractions(*given: Any, **named: Any) -> Any:
        claim = verify_fractions(*given, **named)
        log.values["fractions"] = {
            "point": elements(claim.point),
            "numerator": element(claim.numerator),
            "denominator": element(claim.denominator),
        }
        log.values["point"] = claim.point
        return claim

    def rounds(*given: Any, **named: Any) -> Any:
        point, after = verify_rounds(*given, **named)
        arguments = signature(verify_rounds).bind(*given, **named).arguments
        entry = {"label": arguments["label"], "claim": element(arguments["claim"])}
        log.rounds.append(entry | {"point": elements(point), "claim after": element(after)})
        return point, after

    def final(stage: str, expected: Ext, actual: Ext, reason: str) -> None:
        log.finals.append({"stage": stage, "expected": element(expected), "actual": element(actual)})
        check_final(stage, expected, actual, reason)

    def open_all(*given: Any, **named: Any) -> None:
        bound = signature(verify_opening).bind(*given, **named)
        form_at = bound.arguments["form_at"]

        def at(oracle: int, point: Sequence[Ext]) -> Ext:
            value: Ext = form_at(oracle, point)
            log.form_values.append({"oracle": oracle, "point": elements(point), "value": element(value)})
            return value

        log.values["opening claim"] = element(bound.arguments["claim"])
        bound.arguments["form_at"] = at
        verify_opening(*bound.args, **bound.kwargs)

    verify_fractions, verify_opening = verifier.verify_fractions, verifier.verify_opening
    verify_rounds, check_final = verifier.verify_rounds, verifier.check_final
    with ExitStack() as stack:
        for module, name, made in (
            (verifier, "VerifierTranscript", Transcript),
            (verifier, "ClaimLedger", Ledger),
            (verifier, "verify_fractions", fractions),
            (verifier, "verify_opening", open_all),
            (verifier, "verify_rounds", rounds),
            (verifier, "check_final", final),
            (opening, "verify_rounds", rounds),
            (opening, "check_final", final),
        ):
            stack.enter_context(patch.object(module, name, made))
        yield


def verdict(action: Callable[[], Any]) -> Json:
    """How a check ends: accepted, malformed or rejected, and where."""
    try:
        action()
    except ProofRejected as error:
        found: Json = {"verdict": "rejected", "stage": error.stage, "reason": error.reason}
        return found if error.round is None else found | {"round": error.round}
    except ProofFormatError as error:
        return {"verdict": "malformed", "field": error.field, "reason": error.reason}
    return {"verdict": "accepted"}


def check(vk_bytes: bytes, proof_bytes: bytes) -> tuple[Json, Log, Log]:
    """Both files parsed and verified: the verdict, the registration's log and the proof's."""
    registration, proof_log = Log(), Log()

    def run() -> None:
        vk = VerifyingKey.from_bytes(vk_bytes)
        proof = Proof.from_bytes(proof_bytes)
        verifier._REGISTERED.discard(vk.digest)
        with recording(registration):
            verifier.check_registration(vk)
        with recording(proof_log):
            verifier.verify(vk, proof, allow_testing=True)

    return verdict(run), registration, proof_log


def leaf_values(program: Program, log: Log) -> Json:
    """The leaves' forms at the point that the layers end in."""
    words = log.draw("lookup challenges")
    forms = program.plan.leaf_forms(log.values["point"], Ext(*words[2:4]))
    return {
        "lookup weight": element(forms.lookup_weight),
        "real weight": element(forms.real_weight),
        "phi": element(forms.phi),
        "cells": form_entry(forms.cells),
        "multiplicities": form_entry(forms.multiplicities),
        "tables": [{"table": index} | form_entry(((index, term),))[0] for index, term in forms.tables],
    }


def run_entry(program: Program, log: Log) -> Json:
    """A whole run, for an honest proof."""
    return {
        "steps": log.steps,
        "fractions": log.values["fractions"],
        "leaf forms": leaf_values(program, log),
        "claims": log.claims,
        "opening claim": log.values["opening claim"],
        "rounds": log.rounds,
        "form values": log.form_values,
        "finals": log.finals,
    }


def plan_entry(program: Program) -> Json:
    """What a verifier derives from the manifest alone."""
    plan, shape, params = program.plan, program.shape, program.params

    def layout(given: Any) -> Json:
        blocks = [{"tensor": b.tensor, "starts": list(b.starts), "logs": list(b.logs), "offset": b.offset} for b in given.blocks]
        return {"num_vars": given.num_vars, "blocks": blocks}

    return {
        "program digest": program.digest.hex(),
        "preset": program.preset.name,
        "tensors": [{"shape": list(t.shape), "storage": t.storage.value, "low": t.low, "high": t.high} for t in program.graph.tensors],
        "lookups": [
            {
                "table": lookup.table,
                "shape": list(lookup.shape),
                "columns": [{"terms": [list(term) for term in c.terms], "constant": c.constant} for c in lookup.columns],
            }
            for lookup in plan.lookups
        ],
        "zero checks": [
            {
                "shape": list(check.shape),
                "columns": [{"terms": [list(term) for term in c.terms], "constant": c.constant} for c in check.columns],
            }
            for check in plan.zero_checks
        ],
        "segments": [
            {
                "index": s.index,
                "is table": s.is_table,
                "shape": list(s.shape),
                "starts": list(s.starts),
                "lengths": list(s.lengths),
                "cut": s.cut,
                "offset": s.offset,
            }
            for s in plan.segments
        ],
        "weight layout": layout(plan.weight_layout),
        "witness layout": layout(plan.witness_layout),
        "lookup_grinding_bits": program.lookup_grinding_bits,
        "shape": asdict(shape) | {"num_vars": list(shape.num_vars), "degree": plan.max_degree},
        "opening": {
            "grinding_bits": params.grinding_bits,
            "fold_grinding_bits": params.fold_grinding_bits,
            "sampled": params.is_sampled,
            "clear_vars": params.clear_vars,
            "levels": [
                [
                    {
                        "num_vars": oracle.num_vars,
                        "log_columns": oracle.code.log_columns,
                        "log_blowup": oracle.code.log_blowup,
                        "num_queries": oracle.code.num_queries,
                        "multiplicity": oracle.code.multiplicity,
                    }
                    for oracle in level
                ]
                for level in params.levels
            ],
        },
    }
