"""The outbox: nothing is lost and nothing happens twice, whenever the process dies and whatever the chain does."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from settlement.node import DEPTH, Node

from ciro_zk.errors import FormatError
from ciro_zk.settlement.outbox import Action, Outbox, State

ROOT = Path(__file__).resolve().parents[2]


def pay(job: int, **fields: Any) -> Action:
    return Action(
        **{"key": f"settle:{job}", "contract": "JobManager", "entry": "finalise", "arguments": (job,), "job": job, "receipt": 900 + job}
        | fields
    )


def run(outbox: Outbox, node: Node, rounds: int = 12) -> None:
    for _ in range(rounds):
        outbox.step()
        node.mine()


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path / "node.json")


@pytest.fixture
def outbox(tmp_path: Path, node: Node) -> Outbox:
    return Outbox(tmp_path / "outbox.sqlite", node)


def states(outbox: Outbox) -> list[tuple[State, str]]:
    return [(row.state, row.code) for row in outbox.rows()]


def test_a_row_goes_through_its_states(outbox: Outbox, node: Node) -> None:
    outbox.put(pay(1))
    outbox.put(pay(1), pay(2))  # the first is there already
    seen = []
    for _ in range(DEPTH + 3):
        seen.append(outbox.rows()[0].state)
        outbox.step()
        node.mine()
    assert list(dict.fromkeys(seen)) == [State.PENDING, State.SIGNED, State.INCLUDED, State.FINAL]
    assert outbox.step() and states(outbox) == [(State.FINAL, "")] * 2 and node.payments() == [1, 2]


@pytest.mark.parametrize("forget", [False, True], ids=["kept", "forgotten"])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_block_that_vanishes_sends_its_rows_back(outbox: Outbox, node: Node, depth: int, forget: bool) -> None:
    outbox.put(pay(1), pay(2))
    for _ in range(depth):
        outbox.step()
        node.mine()
    assert node.payments() == [1, 2] and State.FINAL not in {row.state for row in outbox.rows()}
    outbox.step()
    node.reorganise(depth, forget=forget)
    outbox.step()
    assert {row.state for row in outbox.rows()} <= {State.SIGNED, State.INCLUDED}
    run(outbox, node)
    assert node.payments() == [1, 2] and states(outbox) == [(State.FINAL, "")] * 2


def test_a_nonce_that_another_took_is_replaced(outbox: Outbox, node: Node) -> None:
    outbox.put(pay(1))
    outbox.step()
    node.drop()
    node.pay(7, 907)
    node.mine()
    run(outbox, node)
    assert node.payments() == [7, 1] and states(outbox) == [(State.FINAL, "")]


def test_done_by_another_with_our_receipt_is_a_success_and_with_another_receipt_an_alarm(outbox: Outbox, node: Node) -> None:
    node.pay(1, 901)
    node.mine()
    node.pay(2, 666)
    node.mine()
    outbox.put(pay(1), pay(2))
    outbox.step()
    assert states(outbox) == [(State.FINAL, "WRONG_STATE"), (State.FAILED, "ALARM")] and node.payments() == [1, 2]


def test_past_its_deadline_a_row_stops_with_an_error(outbox: Outbox, node: Node) -> None:
    outbox.put(pay(1, deadline=25), pay(2, not_before=35))
    for _ in range(3):
        node.mine()
    outbox.step()
    assert states(outbox) == [(State.FAILED, "DEADLINE_PASSED"), (State.PENDING, "")]
    run(outbox, node)
    assert node.payments() == [2]


def test_a_node_that_is_down_loses_nothing(outbox: Outbox, node: Node) -> None:
    outbox.put(pay(1))
    for step in range(12):
        node.down = step % 2 == 0
        outbox.step()
        node.down = False
        node.mine()
    assert node.payments() == [1] and states(outbox) == [(State.FINAL, "")]


CHILD = """
import os, signal, sys
from pathlib import Path
sys.path[:0] = [{root!r}, {root!r} + "/tests"]
from settlement.node import Node
from settlement.test_outbox import pay
from ciro_zk.settlement.outbox import Outbox

left = int(sys.argv[2])

def mortal(owner, name):
    method = getattr(owner, name)
    def call(*arguments, **options):
        global left
        for moment in ("before", "after"):
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1
            if moment == "before":
                result = method(*arguments, **options)
        return result
    setattr(owner, name, call)

folder = Path(sys.argv[1])
node = Node(folder / "node.json")
outbox = Outbox(folder / "outbox.sqlite", node)
for name in ("time", "nonce", "sign", "send", "find", "is_final"):
    mortal(node, name)
mortal(outbox, "_set")
outbox.put(pay(1), pay(2))
for _ in range(8):
    outbox.step()
    Node(folder / "node.json").mine()
"""


def test_killed_at_every_step_between_verdict_and_finality(tmp_path: Path) -> None:
    """A process that dies before or after each of its calls, then one that lives: both jobs are paid once."""
    for moment in range(200):
        folder = tmp_path / str(moment)
        folder.mkdir()
        script = CHILD.format(root=str(ROOT))
        done = subprocess.run(
            [sys.executable, "-c", script, str(folder), str(moment)], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode in (0, -signal.SIGKILL), done.stderr
        node = Node(folder / "node.json")
        outbox = Outbox(folder / "outbox.sqlite", node)
        outbox.put(pay(1), pay(2))
        run(outbox, node)
        assert sorted(node.payments()) == [1, 2] and states(outbox) == [(State.FINAL, "")] * 2
        if done.returncode == 0:
            return
    pytest.fail("the child never lived to its end")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["step", "mine", "reorganise", "forget", "down", "restart"]), max_size=40))
def test_any_order_of_events_pays_each_job_once(tmp_path_factory: pytest.TempPathFactory, events: list[str]) -> None:
    folder = tmp_path_factory.mktemp("outbox")
    node = Node(folder / "node.json")
    outbox = Outbox(folder / "outbox.sqlite", node)
    outbox.put(pay(1), pay(2), pay(3))
    moves: dict[str, Callable[[], object]] = {
        "step": outbox.step,
        "mine": node.mine,
        "reorganise": lambda: node.reorganise(2) if node.height() > DEPTH else None,
        "forget": lambda: node.reorganise(1, forget=True) if node.height() > DEPTH else None,
    }
    for event in events:
        if event == "restart":
            outbox.close()
            outbox = Outbox(folder / "outbox.sqlite", node)
            moves["step"] = outbox.step
        elif event == "down":
            node.down = True
            outbox.step()
            node.down = False
        else:
            moves[event]()
    run(outbox, node, rounds=16)
    assert sorted(node.payments()) == [1, 2, 3] and states(outbox) == [(State.FINAL, "")] * 3
    outbox.close()


def test_a_file_that_is_no_outbox_is_refused(tmp_path: Path, node: Node) -> None:
    path = tmp_path / "not.sqlite"
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(FormatError, match="not an outbox"):
        Outbox(path, node)
