pub mod arithmetic;
pub mod checkpoints;
pub mod interfaces;
pub mod parameters;
pub mod receipts;
pub mod signatures;
pub mod system;
pub mod token;
