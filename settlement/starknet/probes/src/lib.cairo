pub mod arithmetic;
pub mod network;
pub mod receipts;
pub mod signatures;
pub mod verifier;
