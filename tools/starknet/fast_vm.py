"""A Cairo VM and Starknet's system calls, for tests: instructions are Python functions (`translate`), a step costs about a microsecond.

What it does is what StarkWare's VM does (`exact_vm`), step for step and gas for gas, on programs whose hints are the compiler's: there is
no trace, no relocation and no proof. Range checks are made at the end of each call.
"""

import py311_shim  # noqa: F401  (first: it makes cairo-lang fit this interpreter)

# isort: split
import functools

from Crypto.Hash import keccak
from crypto_cpp_py.cpp_bindings import cpp_hash
from poseidon_py.poseidon_hash import poseidon_perm
from starkware.cairo.common.cairo_secp.secp_utils import SECP256K1, SECP256R1
from starkware.cairo.lang.builtins.ec.ec_op_builtin_runner import ec_op_impl
from starkware.crypto.signature.signature import ALPHA, FIELD_PRIME
from starkware.python.math_utils import EC_INFINITY, ec_safe_add, ec_safe_mult, y_squared_from_x
from starkware.starknet.definitions.constants import BLOCK_HASH_CONTRACT_ADDRESS, STORED_BLOCK_HASH_BUFFER, GasCost
from translate import PROGRAM, SEGMENT, CairoError, Program

ENTRY_POINT_BUDGET = GasCost.SYSCALL_BASE.value  # charged before an entry point starts; the code gives back what it leaves of it
RETURN = 0x208B7FFF7FFF7FFE  # `ret`, which ends every program and is followed by the address of the builtins' costs
RATE = 17  # words of 64 bits that a round of keccak takes

pedersen = functools.lru_cache(1 << 18)(cpp_hash)
poseidon = functools.lru_cache(1 << 16)(poseidon_perm)
ec_op = functools.lru_cache(1 << 10)(functools.partial(ec_op_impl, alpha=ALPHA, prime=FIELD_PRIME, height=256))


class Memory(dict):
    """Cells by address; an unknown cell of a builtin's output is computed, of the program is read, any other is None."""

    def __init__(self, code):
        self.code, self.builtins = code, {}

    def __missing__(self, address):
        if address >= 0:
            raise CairoError(f"{address} is no address")
        segment = -(address // SEGMENT)
        if segment == 1:
            offset = address - PROGRAM
            return self.code[offset] if offset < len(self.code) else None
        rule = self.builtins.get(segment)
        found = rule and rule(self, address, address + SEGMENT * segment)
        if found is not None:
            self[address] = found
        return found

    def inputs(self, start, count):
        values = [self.get(start + place) for place in range(count)]
        return None if None in values else values


def _pedersen(memory, address, offset):
    values = memory.inputs(address - 2, 2) if offset % 3 == 2 else None
    return values and pedersen(*values)


def _poseidon(memory, address, offset):
    place = offset % 6
    values = memory.inputs(address - place, 3) if place > 2 else None
    return values and poseidon(*values)[place - 3]


def _bitwise(memory, address, offset):
    place = offset % 5
    values = memory.inputs(address - place, 2) if place > 1 else None
    return values and (values[0] & values[1], values[0] ^ values[1], values[0] | values[1])[place - 2]


def _ec_op(memory, address, offset):
    place = offset % 7
    values = memory.inputs(address - place, 5) if place > 4 else None
    return values and ec_op(*values)[place - 5]


BUILTINS = {"pedersen": _pedersen, "poseidon": _poseidon, "bitwise": _bitwise, "ec_op": _ec_op}
RANGES = {"range_check": 1 << 128, "range_check96": 1 << 96}


@functools.cache
def _text(text):
    return int.from_bytes(text.encode(), "big")


class Transaction:
    """A call from outside and all that it calls: the changes made so far, so that they can be undone, and what they cost."""

    def __init__(self, state, config, account, steps):
        self.state, self.config, self.account, self.left = state, config, account, steps
        self.events, self.messages, self.undo = [], [], []
        self.steps = 0

    def mark(self):
        return len(self.events), len(self.messages), len(self.undo)

    def back(self, mark):
        events, messages, undo = mark
        del self.events[events:], self.messages[messages:]
        for cells, key, value in reversed(self.undo[undo:]):
            cells[key] = value
        del self.undo[undo:]

    def write(self, cells, key, value):
        self.undo.append((cells, key, cells.get(key, 0)))
        cells[key] = value


class Call:
    """One entry point's run: what its hints and system calls need."""

    def __init__(self, transaction, caller, contract, class_hash, selector):
        self.transaction, self.caller, self.contract, self.class_hash, self.selector = transaction, caller, contract, class_hash, selector
        self.segments, self.boxed, self.info, self.points = 1, None, None, {}

    def add(self):
        """The address of a new segment."""
        self.segments += 1
        return -SEGMENT * self.segments

    def array(self, values):
        """Begin and end of a new segment with these values."""
        start = self.add()
        for place, value in enumerate(values):
            self.memory[start + place] = value
        return start, start + len(values)

    def felts(self, start, end):
        if not (start < 0 and start <= end and start // SEGMENT == (end - (start < end)) // SEGMENT):
            raise CairoError("no array")
        found = [self.memory[address] for address in range(start, end)]
        if any(value is None or value < 0 for value in found):
            raise CairoError("an array of anything but felts")
        return list(map(int, found))

    def run(self, calldata, kind, gas):
        """(failed, data, gas used); a failing call leaves nothing behind."""
        transaction = self.transaction
        mark = transaction.mark()
        program, entries = loaded(transaction.state.source(self.class_hash))
        if (kind, self.selector) not in entries:
            raise CairoError(f"no entry point {self.selector:#x} in class {self.class_hash:#x}")
        offset, builtins = entries[kind, self.selector]
        memory = self.memory = Memory(program.code)
        stack, checked = [], []
        for name in builtins:
            start = self.add()
            if name == "segment_arena":
                info = self.add()
                for place, value in enumerate((info, 0, 0)):
                    memory[start + place] = value
                start += 3
            elif name in RANGES:
                checked.append((len(stack), start, RANGES[name]))
            elif name in BUILTINS:
                memory.builtins[-(start // SEGMENT)] = BUILTINS[name]
            else:
                raise CairoError(f"a builtin that this VM does not know: {name}")
            stack.append(start)
        stack += [gas, self.add()]
        self.next = stack[-1]
        memory[PROGRAM + len(program.code)] = self.array([0] * 5)[0]
        stack += self.array(calldata)
        stack += [self.add(), self.add()]
        end = stack[-1] - PROGRAM
        start, ap = self.array(stack)
        fp, pc, steps, blocks = ap, offset, 0, program.blocks
        while pc != end:
            pc, ap, fp, count = (blocks.get(pc) or program.block(pc))(memory, ap, fp, self)
            steps += count
            if steps > transaction.left:
                raise CairoError("too many steps")
        transaction.steps += steps
        transaction.left -= steps
        left, _, failed, first, last = (memory[ap - place] for place in range(5, 0, -1))
        for place, start, bound in checked:
            stop = memory[ap - 5 - len(builtins) + place]
            if not all(0 <= memory.get(address, -1) < bound for address in range(start, stop)):
                raise CairoError("a range check fails")
        if memory[ap - 4] != self.next:
            raise CairoError("system calls are missing")
        if failed:
            transaction.back(mark)
        return bool(failed), self.felts(first, last), gas + ENTRY_POINT_BUDGET - left

    # --- system calls

    def syscall(self, address):
        """Reads the request at `address`, answers it there."""
        memory = self.memory
        if address != self.next:
            raise CairoError("a system call out of order")
        cost, size, method = SYSCALLS[memory[address]]
        gas = memory[address + 1] - cost
        request = [memory[address + 2 + place] for place in range(size)]
        if gas < 0:
            answer = self.failure(gas + cost, "Out of gas")
        else:
            answer = method(self, gas, *request)
        left, failed, *values = answer
        for place, value in enumerate((left, failed, *values)):
            memory[address + 2 + size + place] = value
        self.next = address + 4 + size + len(values)

    def failure(self, gas, text):
        return gas, 1, *self.array([_text(text)])

    def called(self, caller, contract, class_hash, selector, calldata, gas):
        inner = Call(self.transaction, caller, contract, class_hash, selector)
        failed, data, used = inner.run(calldata, "EXTERNAL", gas)
        return gas - used, int(failed), *self.array(data)

    def call_contract(self, gas, contract, selector, start, end):
        class_hash = self.transaction.state.class_hashes.get(contract)
        if not class_hash:
            raise CairoError(f"no contract at {contract:#x}")
        return self.called(self.contract, contract, class_hash, selector, self.felts(start, end), gas)

    def library_call(self, gas, class_hash, selector, start, end):
        return self.called(self.caller, self.contract, class_hash, selector, self.felts(start, end), gas)

    def storage_read(self, gas, domain, key):
        return gas, 0, self.transaction.state.storage.get((self.contract, key), 0)

    def storage_write(self, gas, domain, key, value):
        self.transaction.write(self.transaction.state.storage, (self.contract, key), int(value))
        return gas, 0

    def emit_event(self, gas, keys, keys_end, data, data_end):
        self.transaction.events.append([self.contract, self.felts(keys, keys_end), self.felts(data, data_end)])
        return gas, 0

    def send_message_to_l1(self, gas, to, start, end):
        self.transaction.messages.append([self.contract, to, self.felts(start, end)])
        return gas, 0

    def replace_class(self, gas, class_hash):
        self.transaction.state.source(class_hash)
        self.transaction.write(self.transaction.state.class_hashes, self.contract, class_hash)
        return gas, 0

    def get_block_hash(self, gas, number):
        state = self.transaction.state
        if state.block_info.block_number - number < STORED_BLOCK_HASH_BUFFER:
            return self.failure(gas, "Block number out of range")
        return gas, 0, state.storage.get((BLOCK_HASH_CONTRACT_ADDRESS, number), 0)

    def get_execution_info(self, gas):
        if self.info is None:
            block = self.transaction.state.block_info
            blocks, _ = self.array([block.block_number, block.block_timestamp, block.sequencer_address])
            signature = self.array([])
            account, chain_id = self.transaction.account, self.transaction.config.chain_id.value
            terms, _ = self.array([0, account, 0, *signature, 0, chain_id, 0, *[0] * 9])
            self.info, _ = self.array([blocks, terms, self.caller, self.contract, self.selector])
        return gas, 0, self.info

    def keccak(self, gas, start, end):
        words = self.felts(start, end)
        rounds, rest = divmod(len(words), RATE)
        if rest:
            return self.failure(gas, "Invalid input length")
        if rounds * GasCost.KECCAK_ROUND_COST.value > gas:
            return self.failure(gas, "Out of gas")
        digest = _keccak(b"".join(word.to_bytes(8, "little") for word in words))
        return gas - rounds * GasCost.KECCAK_ROUND_COST.value, 0, *(int.from_bytes(digest[i : i + 16], "little") for i in (0, 16))

    def point(self, point):
        handle = self.add()
        self.points[handle] = point
        return handle

    def secp_new(self, curve, gas, x, x_high, y, y_high):
        x, y = x + (x_high << 128), y + (y_high << 128)
        if x >= curve.prime or y >= curve.prime:
            return self.failure(gas, "Invalid argument")
        if x == y == 0:
            return gas, 0, 0, self.point(EC_INFINITY)
        off = (y * y - y_squared_from_x(x, curve.alpha, curve.beta, curve.prime)) % curve.prime
        return (gas, 0, 1, 0) if off else (gas, 0, 0, self.point((x, y)))

    def secp_add(self, curve, gas, first, second):
        return gas, 0, self.point(ec_safe_add(self.points[first], self.points[second], curve.alpha, curve.prime))

    def secp_mul(self, curve, gas, point, scalar, high):
        return gas, 0, self.point(ec_safe_mult(scalar + (high << 128), self.points[point], curve.alpha, curve.prime))

    def secp_get_point_from_x(self, curve, gas, x, high, parity):
        x += high << 128
        if x >= curve.prime:
            return self.failure(gas, "Invalid argument")
        square = y_squared_from_x(x, curve.alpha, curve.beta, curve.prime)
        y = pow(square, (curve.prime + 1) // 4, curve.prime)
        y = y if y & 1 == parity else -y % curve.prime
        return (gas, 0, 0, self.point((x, y))) if y * y % curve.prime == square else (gas, 0, 1, 0)

    def secp_get_xy(self, curve, gas, point):
        x, y = (0, 0) if self.points[point] is EC_INFINITY else self.points[point]
        return gas, 0, x % 2**128, x >> 128, y % 2**128, y >> 128


def _keccak(padded):
    """keccak256 of what was padded: the contract pads, so that its last bytes say where the message ends."""
    data = bytearray(padded)
    data[-1] ^= 0x80
    message = bytes(data).rstrip(b"\0")
    if message[-1:] != b"\1" or (len(message) - 1) // (8 * RATE) + 1 != len(padded) // (8 * RATE):
        raise CairoError("the input of keccak is not padded as keccak256 pads")
    return keccak.new(digest_bits=256, data=message[:-1]).digest()


def _syscalls():
    simple = {
        "CallContract": ("call_contract", 4),
        "LibraryCall": ("library_call", 4),
        "StorageRead": ("storage_read", 2),
        "StorageWrite": ("storage_write", 3),
        "EmitEvent": ("emit_event", 4),
        "SendMessageToL1": ("send_message_to_l1", 3),
        "ReplaceClass": ("replace_class", 1),
        "GetBlockHash": ("get_block_hash", 1),
        "GetExecutionInfo": ("get_execution_info", 0),
        "Keccak": ("keccak", 2),
    }
    found = {name: (text, size, getattr(Call, text)) for name, (text, size) in simple.items()}
    for prefix, curve in (("Secp256k1", SECP256K1), ("Secp256r1", SECP256R1)):
        for name, text, size in (("New", "new", 4), ("Add", "add", 2), ("Mul", "mul", 3), ("GetPointFromX", "get_point_from_x", 3)):
            method = getattr(Call, f"secp_{text}")
            found[prefix + name] = (f"{prefix}_{text}", size, _on(method, curve))
        found[prefix + "GetXy"] = (f"{prefix}_get_xy", 1, _on(Call.secp_get_xy, curve))
    # The base of the cost is paid by the compiled code.
    base = GasCost.SYSCALL_BASE.value
    return {_text(name): (GasCost[text.upper()].int_value - base, size, method) for name, (text, size, method) in found.items()}


def _on(method, curve):
    return lambda call, gas, *request: method(call, curve, gas, *request)


SYSCALLS = _syscalls()
_loaded = {}


def loaded(source):
    """The program of the compiler's output, and its entry points' offsets and builtins by kind and selector; kept."""
    if id(source) not in _loaded:
        program = Program([*(int(felt, 16) for felt in source["bytecode"]), RETURN], dict(source["pythonic_hints"]))
        entries = {
            (kind, int(entry["selector"], 16)): (entry["offset"], entry["builtins"])
            for kind, group in source["entry_points_by_type"].items()
            for entry in group
        }
        _loaded[id(source)] = (program, entries, source)  # held, so that its id stays its own
    return _loaded[id(source)][:2]


def execute(*, state, config, caller, contract, selector, calldata, kind, steps):
    """Runs an entry point: whether it failed, its result or panic, events and messages in order, and all steps taken."""
    transaction = Transaction(state, config, caller, steps)
    call = Call(transaction, caller, contract, state.class_hashes[contract], selector)
    mark = transaction.mark()
    try:
        failed, data, _ = call.run(calldata, kind.name, GasCost.INITIAL.value)
    except BaseException:
        transaction.back(mark)
        raise
    result = {"failed": failed, "data": data, "events": transaction.events, "messages": transaction.messages}
    return {**result, "steps": transaction.steps}
