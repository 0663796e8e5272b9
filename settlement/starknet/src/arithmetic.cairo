//! Arithmetic that all contracts share, each function equal to its Python and Solidity counterpart on all inputs.
//! Money is u128; products go through u256 and u512, never through felts.
use core::integer::u128_byte_reverse;
use core::keccak::keccak_u256s_be_inputs;
use core::num::traits::WideMul;
use starknet::SyscallResultTrait;
use starknet::syscalls::keccak_syscall;
use super::cells::to_u64;
use super::parameters::codes;

/// keccak256 of the big-endian 32-byte words: Solidity's `keccak256(abi.encode(words...))`.
pub fn hash_words(words: Span<u256>) -> u256 {
    // The syscall answers little-endian.
    let hash = keccak_u256s_be_inputs(words);
    u256 { low: u128_byte_reverse(hash.high), high: u128_byte_reverse(hash.low) }
}

/// `hash_words` of two words, a third of its code: their length is known, and so the padding to Keccak's block of 17 words of 64 bits.
#[inline(never)]
pub fn hash_pair(first: u256, second: u256) -> u256 {
    let mut block: Array<u64> = array![];
    absorb(ref block, first.high);
    absorb(ref block, first.low);
    absorb(ref block, second.high);
    absorb(ref block, second.low);
    block.append(1);
    block.append(0);
    block.append(0);
    block.append(0);
    block.append(0);
    block.append(0);
    block.append(0);
    block.append(0);
    block.append(0x8000000000000000);
    let hash = keccak_syscall(block.span()).unwrap_syscall();
    u256 { low: u128_byte_reverse(hash.high), high: u128_byte_reverse(hash.low) }
}

/// Two words of 64 bits, little-endian, of a big-endian half.
#[inline(never)]
fn absorb(ref block: Array<u64>, half: u128) {
    let (high, low) = DivRem::div_rem(u128_byte_reverse(half), 0x10000000000000000);
    block.append(to_u64(low.into()));
    block.append(to_u64(high.into()));
}

/// An ERC-20 amount as it is kept inside.
pub fn to_u128(amount: u256) -> u128 {
    amount.try_into().expect(codes::AMOUNT_OVERFLOW)
}

/// floor(a b / c); c > 0.
pub fn mul_div(a: u128, b: u128, c: u128) -> u128 {
    to_u128(a.wide_mul(b) / c.into())
}

/// ceil(a b / c); c > 0.
pub fn mul_div_up(a: u128, b: u128, c: u128) -> u128 {
    let (quotient, remainder) = DivRem::div_rem(a.wide_mul(b), Into::<u128, u256>::into(c).try_into().expect('DIVISION_BY_ZERO'));
    if remainder == 0 {
        to_u128(quotient)
    } else {
        to_u128(quotient + 1)
    }
}

/// The largest r with r^5 <= x, which is r^4 <= floor(x / r). x < 2^256, hence r < 2^52.
pub fn fifth_root(x: u256) -> u128 {
    // Bit by bit from the top: (2^51)^5 = 2^255 is the largest power of a bit below 2^256.
    let mut root: u128 = 0;
    let mut bit: u128 = 0x8000000000000;
    while bit != 0 {
        let trial = root + bit;
        let square: u256 = trial.wide_mul(trial); // < 2^104
        let fourth: u256 = square.low.wide_mul(square.low); // < 2^208
        if fourth <= x / trial.into() {
            root = trial;
        }
        bit /= 2;
    };
    root
}
