"""ModelRegistry: immutable model versions. Only the fee of future jobs and retirement may change."""

from __future__ import annotations

from dataclasses import astuple, dataclass, replace
from typing import TYPE_CHECKING

from ciro_zk.settlement.arithmetic import hash_words
from ciro_zk.settlement.ledger.contract import Contract, Map, external, require, view
from ciro_zk.settlement.ledger.types import U8, U128, U256
from ciro_zk.settlement.parameters import SUPPLY

if TYPE_CHECKING:
    from ciro_zk.settlement.ledger.chain import EmbeddedLedger


@dataclass(frozen=True, slots=True)
class Model:
    """A model version: its owner, the digests that a proof is checked against, the proof system, and the owner's fee a job."""

    owner: int = 0
    program_digest: int = 0
    model_commitment: int = 0
    vk_digest: int = 0
    proof_system: int = 0
    fee: int = 0
    retired: int = 0


class ModelRegistry(Contract):
    """Which programs and keys a job may name."""

    name = "ModelRegistry"

    def __init__(self, chain: EmbeddedLedger) -> None:
        super().__init__(chain)
        self._models = Map(self, "models", Model())
        self._num_models = Map(self, "num_models", 0)

    @external
    def register_model(self, program_digest: U256, model_commitment: U256, vk_digest: U256, proof_system: U8, fee: U128) -> U256:
        """A new version, owned by the caller: id = keccak(chain id, registry, owner, owner's count). UNKNOWN_SYSTEM, AMOUNT_TOO_LARGE."""
        require(self.call(self.chain.registry.current_version, proof_system) != 0, "UNKNOWN_SYSTEM")
        require(fee <= SUPPLY, "AMOUNT_TOO_LARGE")
        count = self._num_models[self.caller]
        model = hash_words(self.chain.chain_id, self.address, self.caller, count)
        self._num_models[self.caller] = count + 1
        self._models[model] = Model(self.caller, program_digest, model_commitment, vk_digest, proof_system, fee)
        self.emit(
            "ModelRegistered",
            model=model,
            owner=self.caller,
            program_digest=program_digest,
            model_commitment=model_commitment,
            vk_digest=vk_digest,
            proof_system=proof_system,
            fee=fee,
        )
        return model

    @external
    def set_fee(self, model: U256, fee: U128) -> None:
        """Of jobs submitted from now on: UNKNOWN_MODEL, NOT_OWNER, MODEL_RETIRED, AMOUNT_TOO_LARGE."""
        found = self._owned(model)
        require(fee <= SUPPLY, "AMOUNT_TOO_LARGE")
        self._models[model] = replace(found, fee=fee)
        self.emit("FeeSet", model=model, fee=fee)

    @external
    def retire(self, model: U256) -> None:
        """No new jobs; open ones go on: UNKNOWN_MODEL, NOT_OWNER, MODEL_RETIRED."""
        self._models[model] = replace(self._owned(model), retired=1)
        self.emit("ModelRetired", model=model)

    @view
    def model_of(self, model: U256) -> tuple[int, ...]:
        """owner, program_digest, model_commitment, vk_digest, proof_system, fee, retired; zeros where there is none."""
        return astuple(self._models[model])

    def _owned(self, model: int) -> Model:
        found = self._models[model]
        require(found.owner != 0, "UNKNOWN_MODEL")
        require(found.owner == self.caller, "NOT_OWNER")
        require(not found.retired, "MODEL_RETIRED")
        return found
