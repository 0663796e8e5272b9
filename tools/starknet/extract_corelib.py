"""Write out the Cairo core library that npm's wasm-cairo 0.10.2 embeds: extract_corelib.py MODULE.wasm OUT_DIR.

The module stores the file names in one run and the file texts in another, in the opposite order; the code section holds
an (address, length) pair of constants for each text, which is how the texts' boundaries are found.
"""

import pathlib
import re
import sys
from collections import defaultdict

sys.setrecursionlimit(10_000)
wasm = pathlib.Path(sys.argv[1]).read_bytes()
out = pathlib.Path(sys.argv[2])


def leb128(i: int, signed: bool = False) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = wasm[i]
        i += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            break
    if signed and byte & 0x40:
        value -= 1 << shift
    return value, i


segments: list[tuple[int, int, int]] = []  # address, position in the file, length
code = (0, 0)
i = 8
while i < len(wasm):
    section = wasm[i]
    size, i = leb128(i + 1)
    end = i + size
    if section == 10:
        code = (i, end)
    if section == 11:
        count, i = leb128(i)
        for _ in range(count):
            _, i = leb128(i)
            address, i = leb128(i + 1, signed=True)
            length, i = leb128(i + 1)
            segments.append((address, i, length))
            i += length
    i = end


def address_of(position: int) -> int:
    return next(a + position - p for a, p, n in segments if p <= position < p + n)


def text_at(address: int, length: int) -> bytes | None:
    for a, p, n in segments:
        if a <= address < a + n:
            return wasm[p + address - a : p + address - a + length]
    return None


names = []
k = wasm.find(b"array.cairoboolean.cairo")
while match := re.match(rb"([a-z0-9_/]+?\.cairo)", wasm[k : k + 80]):
    names.append(match[1].decode())
    k += len(match[1])

start = address_of(k)
top = max(a + n for a, _, n in segments)
lengths = defaultdict(set)
for match in re.finditer(rb"\x41", wasm[slice(*code)]):  # i32.const
    p = code[0] + match.start() + 1
    value, after = leb128(p, signed=True)
    if start <= value < top:
        for q in [*range(p - 15, p - 2), *range(after, after + 14)]:
            if wasm[q] == 0x41:
                length, _ = leb128(q + 1)
                if 0 < length < 300_000:
                    lengths[value].add(length)

dead: set[tuple[int, int]] = set()


def chain(address: int, done: int) -> list[tuple[int, int]] | None:
    if done == len(names):
        return []
    if (address, done) in dead:
        return None
    for length in sorted(lengths.get(address, ()), reverse=True):
        text = text_at(address, length)
        if text is not None and len(text) == length:
            rest = chain(address + length, done + 1)
            if rest is not None:
                return [(address, length), *rest]
    dead.add((address, done))
    return None


found = chain(start, 0)
if not found:
    sys.exit("extract_corelib: this module's layout is not that of wasm-cairo 0.10.2")
for (address, length), name in zip(found, reversed(names), strict=True):
    path = out / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text_at(address, length))
print(f"{len(names)} core library files")
