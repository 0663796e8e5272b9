//! CdcPool's structs in storage, a felt each field; in boxes, since a function that gives a bare struct carries it through its refusals.
use starknet::storage_access::StorageBaseAddress;
use crate::cells::{load, save, to_u128, to_u32, to_u64, to_u8};
use crate::interfaces::{Price, Record, Rewards, Worker};

#[inline(never)]
pub fn load_worker(base: StorageBaseAddress) -> Box<Worker> {
    let cells: @Box<[felt252; 15]> = load(base, 15).try_into().unwrap();
    let [
        place,
        key,
        capabilities,
        tier,
        reputation,
        heartbeat,
        weight,
        below_since,
        day,
        gained,
        open_jobs,
        commission,
        next_commission,
        commission_time,
        since,
    ] =
        (*cells)
        .unbox();
    BoxTrait::new(
        Worker {
            place: to_u32(place),
            key,
            capabilities: to_u32(capabilities),
            tier: to_u8(tier),
            reputation: to_u32(reputation),
            heartbeat: to_u64(heartbeat),
            weight: to_u128(weight),
            below_since: to_u64(below_since),
            day: to_u64(day),
            gained: to_u32(gained),
            open_jobs: to_u32(open_jobs),
            commission: to_u128(commission),
            next_commission: to_u128(next_commission),
            commission_time: to_u64(commission_time),
            since: to_u64(since),
        },
    )
}

#[inline(never)]
pub fn save_worker(base: StorageBaseAddress, worker: Box<Worker>) {
    let mut cells = array![];
    worker.unbox().serialize(ref cells);
    save(base, 0, cells);
}

#[inline(never)]
pub fn load_record(base: StorageBaseAddress) -> Box<Record> {
    let cells: @Box<[felt252; 9]> = load(base, 9).try_into().unwrap();
    let [assigned, acknowledged, submitted, verified, fees, proven, weight, checkpointed, claimed] = (*cells).unbox();
    BoxTrait::new(
        Record {
            assigned: to_u32(assigned),
            acknowledged: to_u32(acknowledged),
            submitted: to_u32(submitted),
            verified: to_u32(verified),
            fees: to_u128(fees),
            proven: to_u128(proven),
            weight: to_u128(weight),
            checkpointed: checkpointed != 0,
            claimed: claimed != 0,
        },
    )
}

#[inline(never)]
pub fn save_record(base: StorageBaseAddress, record: Box<Record>) {
    let mut cells = array![];
    record.unbox().serialize(ref cells);
    save(base, 0, cells);
}

#[inline(never)]
pub fn load_rewards(base: StorageBaseAddress) -> Box<Rewards> {
    let cells: @Box<[felt252; 4]> = load(base, 4).try_into().unwrap();
    let [budget, left, weights, opened] = (*cells).unbox();
    BoxTrait::new(Rewards { budget: to_u128(budget), left: to_u128(left), weights: to_u128(weights), opened: opened != 0 })
}

#[inline(never)]
pub fn save_rewards(base: StorageBaseAddress, rewards: Box<Rewards>) {
    let mut cells = array![];
    rewards.unbox().serialize(ref cells);
    save(base, 0, cells);
}

#[inline(never)]
pub fn load_price(base: StorageBaseAddress) -> Price {
    let cells: @Box<[felt252; 2]> = load(base, 2).try_into().unwrap();
    let [value, time] = (*cells).unbox();
    Price { value: to_u128(value), time: to_u64(time) }
}

#[inline(never)]
pub fn save_price(base: StorageBaseAddress, price: Price) {
    save(base, 0, array![price.value.into(), price.time.into()]);
}
