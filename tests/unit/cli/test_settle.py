"""Settlement from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from .commands import ciro


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    path = tmp_path / "ledger.sqlite"
    done = ciro("ledger", "create", path, "--holder", "0x3e8")
    assert done.code == 0 and set(done.fields["addresses"]) >= {"JobManager", "StakeVault"}
    return path


def test_calls_views_and_events(ledger: Path) -> None:
    done = ciro("stake", "transfer", "to=0x500", "amount=100.5ciro", "--as", "1000", "--ledger", ledger)
    assert done.code == 0 and [event["event"] for event in done.fields["events"]] == ["Transfer"]
    assert ciro("stake", "balance_of", "account=0x500", "--ledger", ledger).fields["result"] == 1005 * 10**17
    events = ciro("ledger", "events", ledger).fields["events"]
    assert events[-1]["to"] == 0x500 and [event["number"] for event in events] == list(range(1, len(events) + 1))


def test_a_refusal_has_its_code_and_changes_nothing(ledger: Path) -> None:
    before = len(ciro("ledger", "events", ledger).fields["events"])
    done = ciro("jobs", "cancel", "job=1", "--as", "5", "--ledger", ledger)
    assert done.code == 2 and done.fields["error"] == "SettlementError" and done.fields["message"].startswith("UNKNOWN_JOB")
    assert len(ciro("ledger", "events", ledger).fields["events"]) == before


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (("jobs", "no_such_call"), "CALL"),
        (("jobs", "cancel", "job=1"), "--as"),
        (("jobs", "cancel", "--as", "5"), "NAME=VALUE"),
        (("jobs", "cancel", "job=one", "--as", "5"), "job"),
        (("stake", "transfer", "to=1", "amount=1.0000000000000000001ciro", "--as", "5"), "amount"),
        (("stake", "transfer", "to=1", "to=2", "--as", "5"), "to"),
    ],
)
def test_bad_usage_names_the_field(ledger: Path, arguments: tuple[str, ...], field: str) -> None:
    done = ciro(*arguments, "--ledger", ledger)
    assert done.code == 2 and done.fields["field"] == field and done.fields["remedy"]


def test_a_ledger_that_is_not_there_and_one_that_is(ledger: Path, tmp_path: Path) -> None:
    assert ciro("jobs", "job_of", "job=1", "--ledger", tmp_path / "none").fields["field"] == "--ledger"
    assert ciro("ledger", "create", ledger, "--holder", "1").fields["field"] == "FILE"


@pytest.mark.parametrize("group", ["jobs", "stake", "slash", "treasury"])
def test_every_group_lists_its_calls(group: str) -> None:
    calls = ciro(group).fields
    assert len(calls) > 5 and all(entry["contract"] for entry in calls.values())


def test_starknet_without_its_variables_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STARKNET_RPC_URL", raising=False)
    done = ciro("jobs", "job_of", "job=1", "--chain", "starknet")
    assert done.code == 2 and "STARKNET_RPC_URL" in done.fields["message"] + done.fields["remedy"]
