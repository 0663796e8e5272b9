//! Checks of an entry point, in order.

/// Panics with the code of the first check that does not hold. One call for all checks keeps a class small: each `assert` has its own exit,
/// of some 40 felts where gas is given back.
#[inline(never)]
pub fn require(checks: Array<(bool, felt252)>) {
    for (holds, code) in checks {
        assert(holds, code);
    }
}
