//! An amount's history by block: the value that it had at the end of each block in which it changed, one felt a checkpoint.
use starknet::storage::{Map, Mutable, StoragePath, StoragePathEntry, StoragePointerReadAccess, StoragePointerWriteAccess};
use starknet::storage_access::StorePacking;

#[derive(Copy, Drop, Serde)]
pub struct Checkpoint {
    pub block: u64,
    pub value: u128,
}

const TWO_128: felt252 = 0x100000000000000000000000000000000;

/// block * 2^128 + value: 192 bits, so the felt never wraps.
impl CheckpointPacking of StorePacking<Checkpoint, felt252> {
    fn pack(value: Checkpoint) -> felt252 {
        value.block.into() * TWO_128 + value.value.into()
    }

    fn unpack(value: felt252) -> Checkpoint {
        let packed: u256 = value.into();
        Checkpoint { block: packed.high.try_into().unwrap(), value: packed.low }
    }
}

/// A map and a count: `Vec` checks its bounds with a message that costs 2,000 felts of code.
#[starknet::storage_node]
pub struct History {
    pub count: u64,
    pub checkpoints: Map<u64, Checkpoint>,
}

#[generate_trait]
pub impl ReadHistoryImpl of ReadHistory {
    /// The value now; 0 before the first change.
    fn latest(self: StoragePath<History>) -> u128 {
        let count = self.count.read();
        if count == 0 {
            0
        } else {
            self.checkpoints.entry(count - 1).read().value
        }
    }

    /// The value at the end of `block`, by binary search; the caller has checked that `block` is past.
    fn at_block(self: StoragePath<History>, block: u64) -> u128 {
        // Invariant: checkpoints before `low` are at most `block`, those from `high` on are later.
        let mut low: u64 = 0;
        let mut high = self.count.read();
        while low < high {
            let middle = (low + high) / 2;
            if self.checkpoints.entry(middle).read().block <= block {
                low = middle + 1;
            } else {
                high = middle;
            }
        };
        if low == 0 {
            0
        } else {
            self.checkpoints.entry(low - 1).read().value
        }
    }
}

#[generate_trait]
pub impl WriteHistoryImpl of WriteHistory {
    /// Records the value from `block` on; blocks never decrease.
    fn record(self: StoragePath<Mutable<History>>, block: u64, value: u128) {
        let mut place = self.count.read();
        if place > 0 && self.checkpoints.entry(place - 1).read().block == block {
            place -= 1;
        } else {
            self.count.write(place + 1);
        }
        self.checkpoints.entry(place).write(Checkpoint { block, value });
    }
}
