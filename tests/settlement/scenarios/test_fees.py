"""What a job costs and who gets it, to the last unit."""

from __future__ import annotations

import pytest
from settlement.world import ANYONE, CIRO, CLIENT, HOLDER, OWNER, PRICE, STRANGER, WORKERS, World

from ciro_zk.settlement.parameters import SUPPLY, JobState, VerificationMethod


def with_fee(world: World, fee: int) -> int:
    return int(world.do(OWNER, "ModelRegistry.register_model", 11, 12, 13, 1, fee))


def test_the_price_is_split_to_the_last_unit(world: World) -> None:
    """Fees floor, attesters share equally, the remainder is the worker's; half of the platform's fee is for rewards."""
    price = PRICE + 12_345_677
    world.do(STRANGER, "CdcPool.register_coordinator")
    treasury = world.balance(world.chain.addresses["GovernanceTreasury"])
    job, worker = world.paid(price=price, coordinator=STRANGER)
    attesters = world.attesters(job)
    platform, coordinator, each = price * 250 // 10_000, price // 100, price // 100 // 3
    assert world.credit(STRANGER) == coordinator and world.credit(OWNER) == CIRO
    assert [world.credit(attester) for attester in attesters] == [each] * 3
    assert world.credit(worker) == price - platform - coordinator - CIRO - 3 * each
    assert world.see("CdcPool.funds") == (platform // 2, 0)
    assert world.balance(world.chain.addresses["GovernanceTreasury"]) == treasury + platform - platform // 2
    assert world.see("JobManager.totals") == (0, 0, price - platform)


def test_a_job_without_coordinator_pays_none(world: World) -> None:
    job, worker = world.paid()
    assert world.job(job).coordinator_fee == 0 and world.credit(0) == 0
    assert world.credit(worker) == PRICE - PRICE * 250 // 10_000 - CIRO - 3 * (PRICE // 100 // 3)


def test_a_coordinator_is_registered_once_and_beforehand(world: World) -> None:
    with world.refused("WRONG_COORDINATOR"):
        world.submit(coordinator=STRANGER)
    world.do(STRANGER, "CdcPool.register_coordinator")
    with world.refused("ALREADY_REGISTERED"):
        world.do(STRANGER, "CdcPool.register_coordinator")
    assert world.job(world.submit(coordinator=STRANGER)).coordinator_fee == 100


@pytest.mark.parametrize(("fee", "least"), [(0, CIRO), (CIRO // 3, CIRO + CIRO // 3)])
def test_the_least_price(world: World, fee: int, least: int) -> None:
    model = with_fee(world, fee)
    with world.refused("PRICE_TOO_LOW"):
        world.submit(model=model, price=least - 1)
    job, worker = world.paid(model=model, price=least)
    assert world.job(job).state == JobState.PAID and world.credit(worker) > 0


def test_a_model_s_fee_above_the_client_s_maximum(world: World) -> None:
    with world.refused("FEE_TOO_HIGH"):
        world.submit(max_fee=CIRO - 1)
    job = world.submit(max_fee=CIRO)
    world.do(OWNER, "ModelRegistry.set_fee", world.model, CIRO + 1)
    with world.refused("FEE_TOO_HIGH"):
        world.submit(max_fee=CIRO)
    assert world.job(job).model_fee == CIRO, "the fee of the submission"


def test_all_fees_together_are_at_most_half(world: World) -> None:
    """2.5 % + 1 % + 46.5 %: one unit more of the model's fee is refused."""
    most = PRICE * 4_650 // 10_000
    at_most, above = with_fee(world, most), with_fee(world, most + 1)
    with world.refused("FEE_TOO_HIGH"):
        world.submit(model=above, max_fee=PRICE)
    job = world.submit(model=at_most, max_fee=PRICE)
    assert world.job(job).model_fee == most
    world.do(STRANGER, "CdcPool.register_coordinator")
    with world.refused("FEE_TOO_HIGH"):
        world.submit(model=at_most, max_fee=PRICE, coordinator=STRANGER)


def test_prices_out_of_range(world: World) -> None:
    with world.refused("AMOUNT_TOO_LARGE"):
        world.submit(price=SUPPLY + 1)
    with world.refused("PRICE_TOO_LOW"):
        world.submit(price=0)
    with world.refused("BALANCE_TOO_LOW"):
        world.submit(price=SUPPLY)
    with world.refused("MALFORMED_CALLDATA"):
        world.submit(price=2**128)
    with world.refused("MALFORMED_CALLDATA"):
        world.submit(price=-1)


def test_a_client_without_the_price_is_refused(world: World) -> None:
    with world.refused("ALLOWANCE_TOO_LOW"):
        world.submit(client=STRANGER)
    world.do(STRANGER, "CiroToken.approve", world.chain.addresses["JobManager"], PRICE)
    with world.refused("BALANCE_TOO_LOW"):
        world.submit(client=STRANGER)
    world.do(HOLDER, "CiroToken.transfer", STRANGER, PRICE)
    job = world.submit(client=STRANGER)
    assert world.balance(STRANGER) == 0 and world.job(job).client == STRANGER
    with world.refused("ALLOWANCE_TOO_LOW"):
        world.submit(client=STRANGER)


def test_the_price_is_pulled_at_submission(world: World) -> None:
    before, held = world.balance(CLIENT), world.balance(world.chain.addresses["JobManager"])
    world.submit()
    assert world.balance(CLIENT) == before - PRICE
    assert world.balance(world.chain.addresses["JobManager"]) == held + PRICE
    assert world.see("JobManager.totals") == (PRICE, 0, 0)


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        ({"duration": 86_401}, "DURATION_TOO_LONG"),
        ({"method": VerificationMethod.OPTIMISTIC + 1}, "WRONG_METHOD"),
        ({"job_type": 4}, "WRONG_TYPE"),
        ({"capabilities": 256}, "WRONG_CAPABILITIES"),
        ({"model": 5}, "UNKNOWN_MODEL"),
        ({"coordinator": WORKERS[0]}, "WRONG_COORDINATOR"),
    ],
    ids=lambda value: value if isinstance(value, str) else next(iter(value)),
)
def test_terms_that_are_refused(world: World, terms: dict[str, int], code: str) -> None:
    with world.refused(code):
        world.submit(**terms)


def test_jobs_of_one_client_differ(world: World) -> None:
    first, second = world.submit(), world.submit()
    assert first != second and world.see("JobManager.nonce_of", CLIENT) == 2
    world.do(CLIENT, "JobManager.cancel", first)
    assert world.job(second).state == JobState.QUEUED and world.see("JobManager.totals") == (PRICE, 0, PRICE)


def test_a_fee_that_the_owner_raises_does_not_reach_open_jobs(world: World) -> None:
    job, worker = world.judged()
    world.do(OWNER, "ModelRegistry.set_fee", world.model, 40 * CIRO)
    world.wait(3601)
    world.do(ANYONE, "JobManager.finalise", job)
    assert world.credit(OWNER) == CIRO and world.credit(worker) > 90 * CIRO
