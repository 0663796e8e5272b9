"""Damage that keeps the shape of a file: one section of a container, one value of its JSON, one word of an array, the checksum made right.

Without it almost every mutation dies at the checksum and the fuzzer learns nothing.
"""

from __future__ import annotations

import hashlib
import json
import random
import struct
from collections.abc import Callable
from typing import Any

from ciro_zk.circuit.manifest import canonical_json
from ciro_zk.container import CHECKSUM_BYTES, MAGIC, outline
from ciro_zk.errors import ProofFormatError

Mutate = Callable[[bytes, int], bytes]

HEADER = struct.calcsize("<8s4sHH")
P = 2**64 - 2**32 + 1
WORDS = (0, 1, 2, P - 1, P, P + 1, 2**64 - 1, 1 << 63, (1 << 63) - 1, 1 << 32, 1 << 40, 8, 16, 255)
ODD: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 3, 4, 7, 63, 64, 65, 255, 1 << 16, 1 << 20, 1 << 31, 1 << 40, -(1 << 40), 1 << 59, (1 << 63) - 1,
    1 << 63, -(1 << 63), (1 << 64) - 1, 1 << 64, 10**400, 0.5, -0.0, 1e300, "", "x", "y", "\ud800", "\x00", "0x1.0p+0",
    "0x1.0000000000000p+0", "0x1.0000000000000p+1023", "0x0.0000000000001p-1022", "inf", "nan", [], [0], [[0]], [1, 2], [1, 1], [[], []],
    {}, {"kind": "range", "bits": 4}, {"kind": "range", "bits": 18},
    {"kind": "clamp", "minimum": 0, "maximum": 1, "numerator": 1, "shift": 0},
    "weight", "input", "reshape", "axis_map", "maximum", "range_check", "standard", "conservative", "00" * 32,
)  # fmt: skip


def mutate(data: bytes, max_size: int, seed: int, blind: Mutate) -> bytes:
    """One mutation of at most `max_size` bytes. `blind` is a mutator of plain bytes: libFuzzer's own, or `flip`."""
    rng = random.Random(seed)
    if data[: len(MAGIC) - 2] == MAGIC[:-2] and rng.random() < 0.9:
        out = container(data, max_size, rng, blind)
    elif data[:1] == b"{" and rng.random() < 0.8:
        out = json_text(data, max_size, rng, blind)
    else:
        out = blind(data, max_size)
    return out if len(out) <= max_size else data[:max_size]


def flip(data: bytes, max_size: int, rng: random.Random | None = None) -> bytes:
    """A blind mutation without libFuzzer."""
    rng = rng or random.Random(len(data))
    out = bytearray(data or b"\x00")
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(out))
        match rng.randrange(4):
            case 0:
                out[at] ^= 1 << rng.randrange(8)
            case 1:
                out[at] = rng.randrange(256)
            case 2:
                del out[at : at + rng.randrange(1, 9)]
            case _:
                out[at:at] = rng.randbytes(rng.randrange(1, 9))
        out = out or bytearray(b"\x00")
    return bytes(out[:max_size])


def container(data: bytes, max_size: int, rng: random.Random, blind: Mutate) -> bytes:
    """A container with one thing changed in its sections or header; the checksum is made right."""
    try:
        head = outline(data)
    except ProofFormatError:
        return seal(blind(data[:-CHECKSUM_BYTES], max_size - CHECKSUM_BYTES))
    at, parts = HEADER, []
    for name, length in head.sections:
        at += 1 + len(name) + 8
        parts.append((name.encode("ascii", errors="replace"), data[at : at + length]))
        at += length
    kind, version, count = head.kind, head.version, len(parts)
    choice = rng.random()
    if not parts or choice < 0.03:
        version = rng.choice((0, 1, 2, 0xFFFF))
    elif choice < 0.05:
        kind = rng.choice((b"CIRC", b"PKEY", b"VKEY", b"PROF", b"\xff\x00ab"))
    elif choice < 0.08:
        rng.shuffle(parts)
    elif choice < 0.10:
        parts.insert(rng.randrange(len(parts) + 1), rng.choice(parts))
        count = len(parts)
    elif choice < 0.12:
        count = rng.choice((0, 1, 2, 3, 4, 0xFFFF))
    else:
        i = rng.randrange(len(parts))
        name, payload = parts[i]
        parts[i] = (name, section(payload, max(max_size - len(data) + len(payload), 1), rng, blind))
    body = struct.pack("<8s4sHH", MAGIC, kind, version, count)
    for name, payload in parts:
        body += bytes([len(name)]) + name + struct.pack("<Q", len(payload)) + payload
    if rng.random() < 0.02:
        body = body[: rng.randrange(len(body) + 1)]
    return seal(body)


def section(payload: bytes, max_size: int, rng: random.Random, blind: Mutate) -> bytes:
    """A payload: a container of its own, JSON, or words."""
    if payload[: len(MAGIC) - 2] == MAGIC[:-2] and rng.random() < 0.95:
        return container(payload, max_size, rng, blind)
    if payload[:1] == b"{" and rng.random() < 0.9:
        return json_text(payload, max_size, rng, blind)
    if len(payload) >= 8 and rng.random() < 0.5:
        out = bytearray(payload)
        start = len(payload) % 8 if rng.random() < 0.7 else 0
        at = start + 8 * rng.randrange((len(payload) - start) // 8)
        out[at : at + 8] = rng.choice(WORDS).to_bytes(8, "little")
        return bytes(out)
    return blind(payload, max_size)


def json_text(text: bytes, max_size: int, rng: random.Random, blind: Mutate) -> bytes:
    """JSON with values changed, canonical again most of the time."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return blind(text, max_size)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        value = json_value(value, rng)
    try:
        out = canonical_json(value) if rng.random() < 0.95 else json.dumps(value).encode()
    except (ValueError, TypeError, RecursionError):
        return blind(text, max_size)
    return out if len(out) <= max_size else text


def json_value(value: Any, rng: random.Random) -> Any:
    """The value with one thing changed somewhere in it."""
    if isinstance(value, dict) and value and rng.random() < 0.95:
        key = rng.choice(sorted(value))
        choice = rng.random()
        if choice < 0.02:
            return {k: v for k, v in value.items() if k != key}
        if choice < 0.04:
            return {**value, rng.choice(("x", "kind", "", "inputs")): rng.choice(ODD)}
        return {**value, key: json_value(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.93:
        i = rng.randrange(len(value))
        choice = rng.random()
        if choice < 0.06:
            return value[:i] + value[i + 1 :]
        if choice < 0.12:
            return [*value[:i], value[i], *value[i:]]
        if choice < 0.16:
            return [*value[:i], rng.choice(value), *value[i + 1 :]]
        return [*value[:i], json_value(value[i], rng), *value[i + 1 :]]
    if type(value) is int and rng.random() < 0.6:
        return rng.choice((value + 1, value - 1, -value, 2 * value, value ^ 1 << rng.randrange(40)))
    return rng.choice(ODD)


def seal(body: bytes) -> bytes:
    """The body and its checksum."""
    return body + hashlib.blake2s(body).digest()
