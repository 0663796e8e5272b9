"""cairo-lang's VM without what a test does not need, so that a call's cost follows its steps and not its class's size.

StarkWare's runner loads and hashes the whole program, compiles all its hints, and checks and relocates all of memory for a proof that
will never be made. Here the loaded program and its hints are kept for each class, the checks for the prover are left out, and Pedersen
and Poseidon are StarkWare's C++. What an instruction does is unchanged. `EXACT = True` runs the unchanged classes.
"""

import functools
import itertools

import py311_shim  # noqa: F401  (first)
import starkware.cairo.common.poseidon_hash as poseidon_hash
import starkware.cairo.lang.vm.crypto as crypto
from crypto_cpp_py.cpp_bindings import cpp_hash
from poseidon_py.poseidon_hash import poseidon_perm

crypto.pedersen_hash = functools.lru_cache(1 << 18)(cpp_hash)
crypto.poseidon_perm = poseidon_hash.poseidon_perm = functools.lru_cache(1 << 16)(poseidon_perm)

# After the replacement of the hashes, which these import by name.
import dataclasses  # noqa: E402

import starkware.starknet.business_logic.execution.execute_entry_point as execution  # noqa: E402
from starkware.cairo.common.cairo_function_runner import CairoFunctionRunner  # noqa: E402
from starkware.cairo.common.structs import CairoStructFactory  # noqa: E402
from starkware.cairo.lang.vm.cairo_pie import ExecutionResources  # noqa: E402
from starkware.cairo.lang.vm.relocatable import RelocatableValue  # noqa: E402
from starkware.cairo.lang.vm.virtual_machine_base import CompiledHint  # noqa: E402
from starkware.cairo.lang.vm.vm_core import RunContext, VirtualMachine  # noqa: E402
from starkware.starknet.business_logic.execution.deprecated_objects import ExecutionResourcesManager  # noqa: E402
from starkware.starknet.business_logic.execution.objects import TransactionExecutionContext  # noqa: E402
from starkware.starknet.definitions.constants import GasCost  # noqa: E402

EXACT = False

# The structs of system calls never change; StarkWare's code builds their classes anew at each use.
CairoStructFactory.get_struct_definition = functools.cache(CairoStructFactory.get_struct_definition)
CairoStructFactory.build_struct = functools.cache(CairoStructFactory.build_struct)


# The network charges an entry point this much before it starts, and the compiled code gives back what a short path leaves of it.
ENTRY_POINT_BUDGET = 10_000
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


def execute(*, state, config, caller, contract, selector, calldata, kind, steps):
    """Runs an entry point; returns its CallInfo, whose failure_flag tells a revert."""
    execution.CairoFunctionRunner = CairoFunctionRunner if EXACT else Runner
    call = EntryPoint.create(contract, calldata, selector, caller, GasCost.INITIAL.value, kind)
    return call.execute(
        state=state,
        resources_manager=ExecutionResourcesManager.empty(),
        tx_execution_context=TransactionExecutionContext.create_for_testing(account_contract_address=caller, n_steps=steps),
        general_config=config,
        support_reverted=True,
    )


class Runner(CairoFunctionRunner):
    def run_from_entrypoint(self, *args, **named):
        super().run_from_entrypoint(*args, **{**named, "verify_secure": False})

    def initialize_state(self, entrypoint, stack):
        self.initial_pc = self.program_base + entrypoint
        cells, self.compiled_hints = loaded(self.program)
        assert self.program_base == RelocatableValue(0, 0)
        self.memory.data.update(cells)
        self.load_data(self.execution_base, stack)

    def initialize_vm(self, hint_locals, static_locals=None, vm_class=None):
        context = RunContext(pc=self.initial_pc, ap=self.initial_ap, fp=self.initial_fp, memory=self.memory, prime=self.program.prime)
        self.vm = VirtualMachine(
            Loaded(self.program.prime),
            context,
            hint_locals=hint_locals,
            static_locals={"segments": self.segments, **(static_locals or {})},
            builtin_runners=self.builtin_runners,
            program_base=self.program_base,
            enable_instruction_trace=False,
        )
        self.vm.hints = self.compiled_hints
        self.vm.accessed_addresses = Unrecorded()
        for builtin_runner in self.builtin_runners.values():
            builtin_runner.add_validation_rules(self)
            builtin_runner.add_auto_deduction_rules(self)
        for address, value in itertools.islice(self.memory.data.items(), len(self.program.data), None):
            self.vm.validated_memory._validate_memory_cell(address, value)

    def end_run(self, disable_trace_padding=True, disable_finalize_all=False, allow_tmp_segments=False):
        self.accessed_addresses = set()
        self.vm_memory.relocate_memory()
        self.vm_memory.freeze()
        sizes = dict.fromkeys(range(-self.segments.n_temp_segments, self.segments.n_segments), 0)
        for address in self.memory.data:
            if sizes[address.segment_index] <= address.offset:
                sizes[address.segment_index] = address.offset + 1
        self.segments._segment_used_sizes = sizes
        self._run_ended = True

    def mark_as_accessed(self, address, size):
        pass

    def get_execution_resources(self):
        return ExecutionResources(n_steps=self.vm.current_step, builtin_instance_counter={}, n_memory_holes=0)


class Unrecorded(set):
    """Accessed addresses, which only a proof's memory holes need."""

    def update(self, *addresses):
        pass

    def add(self, address):
        pass


@dataclasses.dataclass(frozen=True)
class Loaded:
    """A program whose instructions are in memory already."""

    prime: int
    data: tuple = ()


_loaded = {}


def loaded(program):
    """The memory cells of a program at segment 0 and its hints; kept, with the class's lists of felts and hints as identity."""
    key = id(program.data)
    if key not in _loaded:
        cells = {RelocatableValue(0, i): value for i, value in enumerate(program.data)}
        hints = {
            RelocatableValue(0, offset): [CompiledHint(compiled=compiled_hint(hint.code), consts=lambda *_: None) for hint in group]
            for offset, group in program.hints.items()
        }
        _loaded[key] = (cells, hints, program.data)  # the list is held, so its id stays its own
    return _loaded[key][:2]


@functools.cache
def compiled_hint(code):
    return compile(code, "<hint>", "exec")
