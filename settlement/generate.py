"""Writes settlement/parameters.toml into every language that needs it.

    python settlement/generate.py [--check]

One table, so that the ledger and the contracts cannot disagree. Asserted here: the longest job, challenge and dispute together are shorter
than unbonding (stake that a job may still cost cannot leave), attestation ends before a job without a verdict is refunded, and error
codes fit a Cairo short string.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "settlement" / "parameters.toml"
HEADER = "written by settlement/generate.py from settlement/parameters.toml; do not edit"
CAIRO_TYPES = {"ciro": "u128", "bps": "u128", "usd": "u128", "s": "u64", "blocks": "u64", "count": "u32", "points": "u32"}
LENGTH = 31


def table() -> dict[str, Any]:
    """The table, with its rules asserted."""
    data = tomllib.loads(TABLE.read_text())
    most = {name: row.get("most", row["value"]) for name, row in data["parameter"].items()}
    longest = most["job_duration_cap"] + most["challenge_window_optimistic"] + most["dispute_window"]
    if longest >= data["parameter"]["unbonding"]["value"]:
        raise SystemExit("parameters.toml: job cap + challenge window + dispute window must be below unbonding")
    if 2 * (most["commit_window"] + most["reveal_window"]) >= data["parameter"]["verdict_expiry"]["least"]:
        raise SystemExit("parameters.toml: two attestations must end before verdict_expiry")
    for name, row in data["parameter"].items():
        if "held_by" in row and not row["least"] <= row["value"] <= row["most"]:
            raise SystemExit(f"parameters.toml: {name} is outside its own bounds")
    for code in data["codes"]:
        if not re.fullmatch(rf"[A-Z][A-Z0-9_]{{0,{LENGTH - 1}}}", code):
            raise SystemExit(f"parameters.toml: the code {code} is no short string")
    return data


def python(data: dict[str, Any]) -> str:
    """ciro_zk/settlement/parameters.py."""
    out = [f'"""The constants of settlement; {HEADER}."""', "", "from __future__ import annotations", ""]
    out += ["from collections.abc import Mapping", "from dataclasses import dataclass", "from enum import IntEnum", ""]
    for name, row in data["parameter"].items():
        bounds = f"; governed within [{row['least']}, {row['most']}]" if "held_by" in row else ""
        out += [f"{name.upper()} = {row['value']:_}", f'"""{row["unit"]}: {row["meaning"] or name.replace("_", " ")}{bounds}"""']
    out += [
        "",
        "",
        "@dataclass(frozen=True, slots=True)",
        "class Governed:",
        '    """A parameter in a contract\'s storage: its first value and hard bounds."""',
        "",
    ]
    out += ["    value: int", "    least: int", "    most: int", "", ""]
    held: dict[str, list[str]] = {}
    for name, row in data["parameter"].items():
        if "held_by" in row:
            held.setdefault(row["held_by"], []).append(f'        "{name}": Governed({row["value"]:_}, {row["least"]:_}, {row["most"]:_}),')
    out += ["GOVERNED: Mapping[str, Mapping[str, Governed]] = {"]
    for contract, rows in held.items():
        out += [f'    "{contract}": {{', *rows, "    },"]
    out += ["}", '"""Governed parameters by contract and name."""', ""]
    tiers = data["tiers"]
    out += [f"TIER_NAMES = ({', '.join(repr(n).replace(chr(39), chr(34)) for n in tiers['names'])})"]
    out += [f"TIER_STAKE = ({', '.join(f'{v * 10**6:_}' for v in tiers['stake'])})", '"""Micro-dollars."""']
    out += [f"TIER_PRIORITY = ({', '.join(map(str, tiers['priority']))})", '"""Tenths."""']
    out += [f"TIER_BONUS = ({', '.join(map(str, tiers['bonus']))})", '"""Basis points."""']
    out += [f"ATTESTER_SIZES = ({', '.join(map(str, data['attesters']['sizes']))})", ""]
    out += ["CAPABILITIES: Mapping[str, int] = {", *(f'    "{n}": {v},' for n, v in data["capabilities"].items()), "}", ""]
    for name, members in data["enums"].items():
        out += ["", f"class {name}(IntEnum):", *(f"    {m} = {i}" for i, m in enumerate(members)), ""]
    out += ["", "CODES: Mapping[str, str] = {", *(f'    "{code}": "{why}",' for code, why in data["codes"].items()), "}"]
    out += ['"""Error codes, the same on every chain, and what they say."""', ""]
    return "\n".join(out)


def cairo(data: dict[str, Any]) -> str:
    """settlement/starknet/src/parameters.cairo."""
    out = [f"// The constants of settlement; {HEADER}.", ""]
    for name, row in data["parameter"].items():
        if row["meaning"]:
            out.append(f"/// {row['unit']}: {row['meaning']}")
        out.append(f"pub const {name.upper()}: {CAIRO_TYPES[row['unit']]} = {row['value']};")
    tiers = data["tiers"]
    for name, values, kind in (
        ("TIER_STAKE", [v * 10**6 for v in tiers["stake"]], "u128"),
        ("TIER_PRIORITY", tiers["priority"], "u128"),
        ("TIER_BONUS", tiers["bonus"], "u128"),
        ("ATTESTER_SIZES", data["attesters"]["sizes"], "u32"),
    ):
        out.append(f"pub const {name}: [{kind}; {len(values)}] = [{', '.join(map(str, values))}];")
    out.append(f"pub const CAPABILITIES: u32 = {sum(data['capabilities'].values())};")
    for name, members in data["enums"].items():
        out += ["", f"/// {name}", f"pub mod {re.sub('(?<!^)(?=[A-Z])', '_', name).lower()} {{"]
        out += [f"    pub const {m}: u8 = {i};" for i, m in enumerate(members)] + ["}"]
    out += [
        "",
        "/// First value and hard bounds of a parameter that a contract's storage holds; (0, 0, 0) where it holds none of that name.",
    ]
    out += ["pub fn governed(contract: felt252, name: felt252) -> (u128, u128, u128) {"]
    for name, row in data["parameter"].items():
        if "held_by" in row:
            out += [
                f"    if contract == '{row['held_by']}' && name == '{name}' {{",
                f"        return ({row['value']}, {row['least']}, {row['most']});",
                "    }",
            ]
    out += ["    (0, 0, 0)", "}", "", "/// Error codes, the same on every chain.", "pub mod codes {"]
    for code, why in data["codes"].items():
        out += [f"    /// {why}", f"    pub const {code}: felt252 = '{code}';"]
    out += ["}", ""]
    return "\n".join(out)


def targets() -> dict[Path, str]:
    """What each generated file must hold."""
    data = table()
    return {
        ROOT / "ciro_zk" / "settlement" / "parameters.py": python(data),
        ROOT / "settlement" / "starknet" / "src" / "parameters.cairo": cairo(data),
    }


def main() -> None:
    stale = [path for path, text in targets().items() if not path.exists() or path.read_text() != text]
    for path in stale:
        if "--check" in sys.argv[1:]:
            raise SystemExit(f"{path.relative_to(ROOT)} is stale: run python settlement/generate.py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(targets()[path])
        print(f"wrote {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
