"""The message of a receipt in Cairo is Python's."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from settlement.starknet.machine import PRIME, Contract, Machine

from ciro_zk.receipt import UnsignedReceipt
from ciro_zk.settlement.arithmetic import short_string
from ciro_zk.settlement.ledger.types import ADDRESS_LIMIT
from ciro_zk.signatures import StarkSignatures
from settlement.starknet import build

FIELDS = {
    "format_version": 2**32,
    "job_manager": ADDRESS_LIMIT,
    "job": 2**256,
    "model": 2**256,
    "program_digest": 2**256,
    "model_commitment": 2**256,
    "vk_digest": 2**256,
    "verifier_version": 2**32,
    "preset": PRIME,
    "security_bits": 2**32,
    "statement_digest": 2**256,
    "proof_digest": 2**256,
    "output_digest": 2**256,
    "index": 2**32,
}


@pytest.fixture
def probe(machine: Machine) -> Contract:
    return machine.deploy(build.compiled("receipts", build.PROBES))


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    receipt=st.fixed_dictionaries({name: st.integers(0, limit - 1) for name, limit in FIELDS.items()}),
    worker=st.integers(1, ADDRESS_LIMIT - 1),
    chain_id=st.integers(0, 2**251 - 1),
)
def test_random_receipts(receipt: dict[str, int], worker: int, chain_id: int, probe: Contract) -> None:
    probe.machine.block(chain_id=chain_id)
    assert probe.call("receipt_hash", worker, receipt) == StarkSignatures().receipt_hash(chain_id, {**receipt, "worker": worker})


def test_a_worker_s_receipt(probe: Contract) -> None:
    digests = ("program_digest", "model_commitment", "vk_digest", "statement_digest", "proof_digest", "output_digest")
    receipt = UnsignedReceipt(
        chain_id=short_string("SN_MAIN"),
        job_manager=0x70,
        job=2**255 + 1,
        model=7,
        verifier_version=3,
        preset="standard",
        security_bits=100,
        index=2,
        worker=0x101,
        **{name: bytes([place]) * 32 for place, name in enumerate(digests)},
    )
    probe.machine.block(chain_id=receipt.chain_id)
    values = receipt.integers()
    assert probe.call("receipt_hash", receipt.worker, {name: values[name] for name in FIELDS}) == receipt.message("stark")
