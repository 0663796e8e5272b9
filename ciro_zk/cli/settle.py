"""`ciro-zk jobs|stake|slash|treasury`: every call and view of settlement, by its name; `ciro-zk ledger`: an embedded ledger's file.

    ciro-zk stake transfer to=0x500 amount=100.5ciro --as 0x3e8 --ledger l.sqlite
    ciro-zk jobs job_of job=0x50b5... --ledger l.sqlite

Arguments are NAME=VALUE: numbers (decimal or 0x), `100.5ciro`, true or false, `text:standard` for a short string, names of enumerations,
and lists with commas.
"""

from __future__ import annotations

import enum
import time
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ciro_zk.cli.options import Json
from ciro_zk.cli.session import Session, session
from ciro_zk.errors import InputError, SettlementError

if TYPE_CHECKING:
    from ciro_zk.settlement.interface import Chain
    from ciro_zk.settlement.ledger.chain import EmbeddedLedger
    from ciro_zk.settlement.ledger.store import Event
    from ciro_zk.settlement.ledger.types import Parameter

GROUPS = {
    "jobs": ("JobManager", "ModelRegistry"),
    "stake": ("StakeVault", "CdcPool", "CiroToken"),
    "slash": ("ProofRegistry",),
    "treasury": ("GovernanceTreasury",),
}
BLOCK_SECONDS = 30
"""Of the embedded ledger, whose clock follows the machine's: one block in so many seconds."""
DEFAULT_LEDGER = Path("ledger.sqlite")


class ChainKind(enum.StrEnum):
    """Where settlement runs."""

    EMBEDDED = "embedded"
    STARKNET = "starknet"


ChainOption = Annotated[ChainKind, typer.Option("--chain", help="Where settlement runs.")]
LedgerOption = Annotated[Path, typer.Option("--ledger", metavar="FILE", help="The embedded ledger's file (`ciro-zk ledger create`).")]
CallerOption = Annotated[str | None, typer.Option("--as", metavar="ADDRESS", help="The account that calls; views need none.")]


def group_command(group: str) -> Callable[..., None]:
    """The command of one group of calls."""

    def command(
        call: Annotated[str | None, typer.Argument(metavar="CALL", help="The call or view; without one, all are listed.")] = None,
        arguments: Annotated[list[str] | None, typer.Argument(metavar="NAME=VALUE...", help="Its arguments.")] = None,
        caller: CallerOption = None,
        chain: ChainOption = ChainKind.EMBEDDED,
        ledger: LedgerOption = DEFAULT_LEDGER,
        json: Json = False,
    ) -> None:
        with session(json) as out:
            found = _calls(group)
            if call is None:
                _list(out, found)
            elif call not in found:
                raise InputError(f"{group} has no call {call!r}", field="CALL", remedy=f"one of: {', '.join(found)}")
            else:
                _make(out, open_chain(chain, ledger), found[call][0], call, found[call][1], arguments or [], caller)

    command.__doc__ = f"Calls and views of {', '.join(GROUPS[group])}."
    return command


def open_chain(kind: ChainKind, ledger: Path) -> Chain:
    """The chain that the options name, its clock set.

    Raises
    ------
    InputError
        There is no such ledger.
    """
    if kind is ChainKind.STARKNET:
        from ciro_zk.settlement.starknet.client import StarknetChain

        return StarknetChain.from_environment()
    if not ledger.exists():
        raise InputError(
            "there is no ledger here", field="--ledger", value=str(ledger), remedy="make one: ciro-zk ledger create FILE --holder ADDRESS"
        )
    return _open_ledger(ledger)


def _open_ledger(path: Path) -> EmbeddedLedger:
    """The ledger, moved on to the machine's time."""
    from ciro_zk.settlement.ledger.chain import EmbeddedLedger
    from ciro_zk.signatures import StarkSignatures

    ledger = EmbeddedLedger(path, signatures=StarkSignatures())
    blocks = (int(time.time()) - ledger.time) // BLOCK_SECONDS
    if blocks > 0:
        ledger.advance(blocks=blocks, seconds=blocks * BLOCK_SECONDS)
    return ledger


def _calls(group: str) -> dict[str, tuple[str, Callable[..., Any]]]:
    """Contract and function by call; the first contract of a group that has a name keeps it."""
    from ciro_zk.settlement.ledger.chain import CONTRACTS, entries

    found: dict[str, tuple[str, Callable[..., Any]]] = {}
    for contract in CONTRACTS:
        if contract.name in GROUPS[group]:
            for entry in entries(contract):
                found.setdefault(entry, (contract.name, getattr(contract, entry)))
    return found


def _list(out: Session, found: dict[str, tuple[str, Callable[..., Any]]]) -> None:
    from ciro_zk.settlement.ledger.types import parameters

    for call, (contract, function) in found.items():
        names = " ".join(parameter.name for parameter in parameters(_plain(function)))
        out.say(f"{contract}.{call} {names}".rstrip())
        if function.__doc__:
            out.say(f"    {' '.join(function.__doc__.split())}")
    out.result({call: {"contract": contract, "help": function.__doc__} for call, (contract, function) in found.items()})


def _plain(function: Callable[..., Any]) -> Callable[..., Any]:
    plain: Callable[..., Any] = function.__wrapped__  # type: ignore[attr-defined]
    return plain


def _make(out: Session, chain: Chain, contract: str, call: str, function: Callable[..., Any], texts: list[str], caller: str | None) -> None:
    from ciro_zk.settlement.ledger.types import parameters
    from ciro_zk.settlement.parameters import CODES

    values = read_arguments(parameters(_plain(function)), texts)
    no_events: tuple[Event, ...] = ()
    try:
        if function.kind == "view":  # type: ignore[attr-defined]
            result, events = chain.call(contract, call, *values), no_events
        elif caller is None:
            raise InputError(f"{call} changes the state", field="--as", remedy="say which account calls: --as ADDRESS")
        else:
            done = chain.invoke(read_number("--as", caller), contract, call, *values)
            result, events = done.result, tuple(done.events)
    except SettlementError as refused:
        meaning = CODES.get(refused.code, "")
        raise SettlementError(refused.code, meaning, remedy=f"see `ciro-zk {group_of(contract)}`: what {call} asks for") from refused
    out.say(_shown(result))
    for event in events:
        out.say(f"  {event.contract}.{event.name} " + " ".join(f"{name}={_shown(value)}" for name, value in event.fields.items()))
    fields = [{"contract": event.contract, "event": event.name, **event.fields} for event in events]
    out.result({"result": result, "events": fields, "block": chain.block, "time": chain.time})


def group_of(contract: str) -> str:
    """The command that a contract's calls are under."""
    return next(group for group, contracts in GROUPS.items() if contract in contracts)


def read_arguments(expected: tuple[Parameter, ...], texts: list[str]) -> tuple[Any, ...]:
    """NAME=VALUE texts as arguments, in order.

    Raises
    ------
    InputError
        A name missing, unknown or given twice, or a value that cannot be read.
    """
    given: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or name in given:
            raise InputError(f"{text!r} is no argument", field=name, remedy="give each argument once, as NAME=VALUE")
        given[name] = value
    names = [parameter.name for parameter in expected]
    if set(given) != set(names):
        raise InputError(f"got the arguments {sorted(given)}", field="NAME=VALUE", remedy=f"give exactly: {' '.join(names) or 'none'}")
    return tuple(
        tuple(read_number(parameter.name, part) for part in given[parameter.name].split(",") if part)
        if parameter.array
        else read_number(parameter.name, given[parameter.name])
        for parameter in expected
    )


def read_number(name: str, text: str) -> int:
    """One value.

    Raises
    ------
    InputError
        It cannot be read.
    """
    from ciro_zk.settlement import parameters
    from ciro_zk.settlement.arithmetic import short_string

    if text in ("true", "false"):
        return text == "true"
    if text.startswith("text:"):
        return short_string(text[5:])
    for kind in (parameters.VerificationMethod, parameters.JobType, parameters.Vote):
        if text.upper() in kind.__members__:
            return int(kind[text.upper()])
    try:
        if text.endswith("ciro"):
            amount = Decimal(text[:-4]) * 10**18
            if amount != int(amount):
                raise InputError("has more than 18 decimals", field=name, value=text, remedy="round it")
            return int(amount)
        return int(text, 0)
    except (ValueError, OverflowError, InvalidOperation) as error:
        remedy = "give a number, 0x..., 100ciro, true, false, text:..., or a name such as attested"
        raise InputError("cannot be read", field=name, value=text, remedy=remedy) from error


def _shown(value: Any) -> str:
    if isinstance(value, tuple | list):
        return ", ".join(map(_shown, value))
    return hex(value) if isinstance(value, int) and value >= 2**100 and value % 10**12 else str(value)


ledger_app = typer.Typer(name="ledger", help="An embedded ledger: settlement in one file, with no chain.", no_args_is_help=True)


@ledger_app.command("create")
def create_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that is not there yet.")],
    holder: Annotated[str, typer.Option("--holder", metavar="ADDRESS", help="Who holds the supply of CIRO.")],
    signers: Annotated[str, typer.Option("--signers", help="The multisig's five addresses, ascending, with commas.")] = "1,2,3,4,5",
    guardians: Annotated[str, typer.Option("--guardians", help="The three guardians' addresses, ascending.")] = "6,7,8",
    reporters: Annotated[str, typer.Option("--reporters", help="The five price reporters' addresses.")] = "11,12,13,14,15",
    json: Json = False,
) -> None:
    """Make a ledger whose supply one account holds."""
    with session(json) as out:
        from ciro_zk.settlement.ledger.chain import EmbeddedLedger, Genesis
        from ciro_zk.signatures import StarkSignatures

        if file.exists():
            raise InputError("is there already", field="FILE", value=str(file), remedy="choose another name; a ledger is never overwritten")
        lists = {"signers": signers, "guardians": guardians, "reporters": reporters}
        accounts = {name: tuple(read_number(name, part) for part in text.split(",")) for name, text in lists.items()}
        partial = file.with_name(file.name + ".new")
        genesis = Genesis(holder=read_number("--holder", holder), time=int(time.time()), **accounts)
        ledger = EmbeddedLedger(partial, genesis=genesis, signatures=StarkSignatures())
        addresses = dict(ledger.addresses)
        ledger.store.close()
        partial.rename(file)
        out.say(f"{file}: contracts at")
        out.rows({name: hex(address) for name, address in addresses.items()})
        out.result({"file": str(file), "addresses": {name: hex(address) for name, address in addresses.items()}})


@ledger_app.command("events")
def events_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The ledger.")],
    after: Annotated[int, typer.Option("--after", min=0, help="Only events with a number above this.")] = 0,
    json: Json = False,
) -> None:
    """List what happened, in order."""
    with session(json) as out:
        if not file.exists():
            raise InputError("there is no ledger here", field="FILE", value=str(file), remedy="make one: ciro-zk ledger create")
        found = list(_open_ledger(file).store.events(after))
        for number, event in found:
            out.say(
                f"{number} {event.contract}.{event.name} " + " ".join(f"{name}={_shown(value)}" for name, value in event.fields.items())
            )
        out.result({"events": [{"number": n, "contract": e.contract, "event": e.name, **e.fields} for n, e in found]})
