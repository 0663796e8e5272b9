pub mod arithmetic;
pub mod network;
pub mod signatures;
