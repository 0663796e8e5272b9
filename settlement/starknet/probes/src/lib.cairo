pub mod arithmetic;
pub mod network;
