"""Cairo instructions as Python functions: each run of instructions between two calls or returns is translated when it is first met.

Memory is a dictionary by address. A felt is an integer in [0, P); an address is negative, offset - SEGMENT × segment, so that addresses
and felts never meet and adding an offset is adding an integer. A block is a function (memory, ap, fp, host) → (pc, ap, fp, steps): ap's
changes inside it are known when it is translated, but for `ap += [...]`.

An instruction `dst = op0 ∘ op1` sets the one cell of the three that is not known yet, else compares (StarkWare, "Cairo – a
Turing-complete STARK-friendly CPU architecture", section 4.5).
"""

import re

from starkware.cairo.lang.compiler.encode import decode_instruction
from starkware.cairo.lang.compiler.instruction import Instruction, Register

PRIME = 2**251 + 17 * 2**192 + 1
SEGMENT = 1 << 40
PROGRAM = -SEGMENT  # segment 1
LONGEST = 8  # instructions of a block, so that little is translated twice

Op1, Res, Opcode, Pc, Ap = Instruction.Op1Addr, Instruction.Res, Instruction.Opcode, Instruction.PcUpdate, Instruction.ApUpdate


class CairoError(Exception):
    """What the VM refuses: two values for one cell, an unknown cell, a felt used as an address."""


def signed(felt):
    """A felt as the integer nearest to zero; addresses are left."""
    return felt - PRIME if felt > PRIME >> 1 else felt


def add(a, b):
    if a >= 0 and b >= 0:
        return (a + b) % PRIME
    if a < 0 and b < 0:
        raise CairoError("two addresses are added")
    return a + signed(b) if a < 0 else signed(a) + b


def sub(a, b):
    if a is None or b is None:
        raise CairoError("two cells of an equation are unknown")
    if a < 0 <= b:
        return a - signed(b)
    if (a < 0 and a // SEGMENT != b // SEGMENT) or b < 0 <= a:
        raise CairoError("a difference of addresses of two segments")
    return (a - b) % PRIME


def div(a, b):
    if a is None or b is None or a < 0 or b <= 0:
        raise CairoError("no quotient")
    return a * pow(b, -1, PRIME) % PRIME


def mul(a, b):
    if a < 0 or b < 0:
        raise CairoError("an address is multiplied")
    return a * b % PRIME


def same(memory, address, value):
    """A cell that must be known and have the value, or becomes it."""
    if value is None or memory.setdefault(address, value) != value:
        raise CairoError(f"{memory.get(address)} is not {value}")


class Program:
    """A compiled class's felts, hints by offset, and the blocks that were translated."""

    def __init__(self, code, hints):
        self.code, self.hints, self.blocks, self.scope = code, hints, {}, {}
        self.scope.update(PRIME=PRIME, add=add, sub=sub, div=div, mul=mul, same=same, signed=signed)

    def block(self, pc):
        """The block that begins at an offset."""
        source = "def block(memory, ap, fp, host):\n" + "".join(f"    {line}\n" for line in self._lines(pc))
        exec(compile(source, f"<cairo {pc}>", "exec"), self.scope)  # noqa: S102 (our own text)
        found = self.blocks[pc] = self.scope["block"]
        return found

    def _lines(self, pc):
        moved, steps, seen = 0, 0, set()
        while steps < LONGEST and pc not in seen:
            seen.add(pc)
            steps += 1
            for hint in self.hints.get(pc, ()):
                yield from _hint(hint, moved)
            if not 0 <= pc < len(self.code):
                raise CairoError(f"no instruction at {pc}")
            instruction = decode_instruction(self.code[pc], self.code[pc + 1] if pc + 1 < len(self.code) else None)
            size = 2 if instruction.op1_addr is Op1.IMM else 1
            where = {Register.AP: lambda offset, k=moved: _address("ap", offset + k), Register.FP: lambda offset: _address("fp", offset)}
            dst = where[instruction.dst_register](instruction.off0)
            op0 = where[instruction.op0_register](instruction.off1)
            immediate = signed(instruction.imm) if instruction.imm is not None else None
            if instruction.op1_addr is Op1.OP0:
                yield f"_p = memory[{op0}] + {instruction.off2}"
                op1 = "_p"
            elif immediate is None:
                op1 = where[Register.AP if instruction.op1_addr is Op1.AP else Register.FP](instruction.off2)
            else:
                op1 = None
            if instruction.opcode is Opcode.ASSERT_EQ:
                yield from _assertion(instruction, dst, op0, op1, immediate)
            value = str(immediate) if op1 is None else f"signed(memory[{op1}])"
            if instruction.opcode is Opcode.RET:
                yield f"return memory[fp - 1] - {PROGRAM}, {_address('ap', moved)}, memory[fp - 2], {steps}"
                return
            if instruction.opcode is Opcode.CALL:
                yield f"memory[{_address('ap', moved)}] = fp"
                yield f"memory[{_address('ap', moved + 1)}] = {PROGRAM + pc + size}"
                yield f"_t = {_target(instruction, pc, op1, immediate)}"
                yield f"ap = {_address('ap', moved + 2)}"
                yield f"return _t, ap, ap, {steps}"
                return
            if instruction.pc_update is Pc.JNZ:
                after = _moved(instruction, moved, None)
                yield f"if memory[{dst}]: return {pc} + {value}, {_address('ap', after)}, fp, {steps}"
                moved = after
                pc += size
                continue
            if instruction.pc_update is not Pc.REGULAR:
                target = _target(instruction, pc, op1, immediate)
                moved = _moved(instruction, moved, None)
                if op1 is not None:
                    yield f"return {target}, {_address('ap', moved)}, fp, {steps}"
                    return
                pc = target
                continue
            if instruction.ap_update is Ap.ADD and immediate is None:
                yield f"ap = {_address('ap', moved)} + {value}"
                moved = 0
            else:
                moved = _moved(instruction, moved, immediate)
            pc += size
        yield f"return {pc}, {_address('ap', moved)}, fp, {steps}"


def _address(register, offset):
    return f"{register} + {offset}" if offset > 0 else f"{register} - {-offset}" if offset else register


def _moved(instruction, moved, immediate):
    if instruction.ap_update is Ap.ADD1:
        return moved + 1
    if instruction.ap_update is Ap.ADD:
        if immediate is None:
            raise CairoError("a jump that also moves ap by a cell")
        return moved + immediate
    return moved


def _target(instruction, pc, op1, immediate):
    if instruction.pc_update is Pc.JUMP_REL:
        return pc + immediate if op1 is None else f"{pc} + signed(memory[{op1}])"
    if op1 is None:
        raise CairoError("an absolute jump to a number")
    return f"memory[{op1}] - {PROGRAM}"


def _assertion(instruction, dst, op0, op1, immediate):
    if instruction.res is Res.OP1:
        if op1 is None:
            value = immediate % PRIME
            yield f"if memory.setdefault({dst}, {value}) != {value}: same(memory, {dst}, {value})"
            return
        yield f"_v = memory[{op1}]"
        yield f"if _v is None: same(memory, {op1}, memory[{dst}])"
        yield f"elif memory.setdefault({dst}, _v) != _v: same(memory, {dst}, _v)"
        return
    if instruction.op1_addr is Op1.OP0:
        raise CairoError("a sum with a cell found through its other operand")
    back = "sub" if instruction.res is Res.ADD else "div"
    yield f"_a = memory[{op0}]"
    yield f"_b = {immediate % PRIME if op1 is None else f'memory[{op1}]'}"
    yield f"if _a is None: same(memory, {op0}, {back}(memory[{dst}], _b))"
    if op1 is not None:
        yield f"elif _b is None: same(memory, {op1}, {back}(memory[{dst}], _a))"
    yield "else:"
    if instruction.res is Res.MUL:
        yield "    _v = mul(_a, _b)"
    elif op1 is None:
        yield f"    _v = _a + {immediate} if _a < 0 else (_a + {immediate}) % PRIME"
    else:
        yield "    _v = (_a + _b) % PRIME if _a >= 0 and _b >= 0 else add(_a, _b)"
    yield f"    if memory.setdefault({dst}, _v) != _v: same(memory, {dst}, _v)"


def _hint(code, moved):
    """A hint of the compiler in place, with ap as it is there; one that keeps a segment between hints does so in the host."""
    code = code.replace("if '__boxed_segment' not in globals():", "if host.boxed is None:").replace("__boxed_segment", "host.boxed")
    code = code.replace("syscall_handler.syscall(syscall_ptr=", "host.syscall(").replace("segments.add()", "host.add()")
    if "globals()" in code or "segments" in code or "syscall_handler" in code or "dict_manager" in code:
        raise CairoError(f"a hint that this VM does not know: {code}")
    return re.sub(r"\bap\b", f"({_address('ap', moved)})", code).strip("\n").split("\n")
