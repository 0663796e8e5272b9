"""StarkWare's VM and syscall handler as they are, but that a failing inner call is undone and given to its caller, as on the network.

Slow (some 40 µs a step): `fast_vm` is compared with it, call by call.
"""

import py311_shim  # noqa: F401  (first: it makes cairo-lang fit this interpreter)

# isort: split
import dataclasses

import starkware.starknet.business_logic.execution.execute_entry_point as execution
from starkware.starknet.business_logic.execution.deprecated_objects import ExecutionResourcesManager
from starkware.starknet.business_logic.execution.objects import TransactionExecutionContext
from starkware.starknet.definitions.constants import GasCost
from starkware.starknet.services.api.contract_class.contract_class import CompiledClass

# The network charges an entry point this much before it starts, and the compiled code gives back what a short path leaves of it.
ENTRY_POINT_BUDGET = GasCost.SYSCALL_BASE.value
_call_result = execution.get_call_result
execution.get_call_result = lambda runner, initial_gas: _call_result(runner, initial_gas=initial_gas + ENTRY_POINT_BUDGET)


class EntryPoint(execution.ExecuteEntryPoint):
    """A failing call, inner ones too, undoes its changes and its events."""

    def execute(self, state, resources_manager, tx_execution_context, general_config, support_reverted=False):
        before = state.checkpoint()
        events, messages = tx_execution_context.n_emitted_events, tx_execution_context.n_sent_messages
        info = super().execute(state, resources_manager, tx_execution_context, general_config, support_reverted)
        if info.failure_flag:
            state.restore(before)
            tx_execution_context.n_emitted_events, tx_execution_context.n_sent_messages = events, messages
            kept = dataclasses.replace(info.execution, events=[], l2_to_l1_messages=[])
            info = dataclasses.replace(info, execution=kept, inner_calls=[])
        return info


_loaded = {}


def loaded(source):
    """StarkWare's object of the compiler's output; kept."""
    if id(source) not in _loaded:
        _loaded[id(source)] = (CompiledClass.Schema().load(dict(source)), source)  # held, so that its id stays its own
    return _loaded[id(source)][0]


def execute(*, state, config, caller, contract, selector, calldata, kind, steps):
    """Runs an entry point; answers as fast_vm.execute does."""
    call = EntryPoint.create(contract, calldata, selector, caller, GasCost.INITIAL.value, kind)
    info = call.execute(
        state=state,
        resources_manager=ExecutionResourcesManager.empty(),
        tx_execution_context=TransactionExecutionContext.create_for_testing(account_contract_address=caller, n_steps=steps),
        general_config=config,
        support_reverted=True,
    )
    return {
        "failed": bool(info.failure_flag),
        "data": info.retdata,
        "events": [[e.from_address, e.keys, e.data] for e in info.get_sorted_events()],
        "messages": [[m.from_address, m.to_address, m.payload] for m in info.get_sorted_l2_to_l1_messages()],
        "steps": info.execution_resources.n_steps,
    }
