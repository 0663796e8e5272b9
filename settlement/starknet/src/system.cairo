//! What every contract of the system has: the others' addresses, governed parameters, upgrades, and who may call.
//!
//! A contract embeds `SystemComponent`, says its name by an impl of `Named`, and calls `initialize` in its constructor. After all
//! are deployed, the configurer calls `configure` of each, once.
use starknet::{ClassHash, ContractAddress};
use crate::parameters::governed;

#[starknet::interface]
pub trait ISystem<TState> {
    /// The configurer gives the contracts' addresses by name, once: NOT_CONFIGURER, ALREADY_CONFIGURED.
    fn configure(ref self: TState, addresses: Span<(felt252, ContractAddress)>);
    fn address_of(self: @TState, name: felt252) -> ContractAddress;
    /// Governance, within the parameter's hard bounds: NOT_GOVERNANCE, UNKNOWN_PARAMETER, OUT_OF_BOUNDS.
    fn set_parameter(ref self: TState, name: felt252, value: u128);
    fn parameter_of(self: @TState, name: felt252) -> u128;
    /// Governance: other code at the same address, over the same storage: NOT_GOVERNANCE, ZERO_ADDRESS.
    fn upgrade(ref self: TState, class_hash: ClassHash);
}

/// The contracts' names, as in parameters.toml.
pub mod names {
    pub const TOKEN: felt252 = 'CiroToken';
    pub const VAULT: felt252 = 'StakeVault';
    pub const POOL: felt252 = 'CdcPool';
    pub const MODELS: felt252 = 'ModelRegistry';
    pub const REGISTRY: felt252 = 'ProofRegistry';
    pub const JOBS: felt252 = 'JobManager';
    pub const GOVERNANCE: felt252 = 'GovernanceTreasury';
}

/// The contract's name in parameters.toml, as a short string.
pub trait Named {
    const NAME: felt252;

    /// First value and hard bounds of a parameter of the contract; a contract that holds none says so, and is smaller for it.
    fn governed(name: felt252) -> (u128, u128, u128) {
        governed(Self::NAME, name)
    }
}

#[starknet::component]
pub mod SystemComponent {
    use core::num::traits::Zero;
    use starknet::storage::{Map, StoragePathEntry, StoragePointerReadAccess, StoragePointerWriteAccess};
    use starknet::syscalls::replace_class_syscall;
    use starknet::{ClassHash, ContractAddress, SyscallResultTrait, get_caller_address};
    use crate::interfaces::{IPausableDispatcher, IPausableDispatcherTrait};
    use crate::parameters::codes;
    use super::{Named, names};

    #[storage]
    pub struct Storage {
        configurer: ContractAddress,
        addresses: Map<felt252, ContractAddress>,
        /// One more than the value, so that 0 is: never set.
        parameters: Map<felt252, u128>,
    }

    #[event]
    #[derive(Drop, starknet::Event)]
    pub enum Event {
        ParameterSet: ParameterSet,
        Upgraded: Upgraded,
    }

    #[derive(Drop, starknet::Event)]
    pub struct ParameterSet {
        pub name: felt252,
        pub value: u128,
    }

    #[derive(Drop, starknet::Event)]
    pub struct Upgraded {
        pub class_hash: ClassHash,
    }

    #[embeddable_as(Shared)]
    pub impl SystemImpl<
        TContractState, +HasComponent<TContractState>, impl Name: Named,
    > of super::ISystem<ComponentState<TContractState>> {
        fn configure(ref self: ComponentState<TContractState>, addresses: Span<(felt252, ContractAddress)>) {
            assert(get_caller_address() == self.configurer.read(), codes::NOT_CONFIGURER);
            assert(self.address(names::GOVERNANCE).is_zero(), codes::ALREADY_CONFIGURED);
            for (name, address) in addresses {
                self.addresses.entry(*name).write(*address);
            };
            assert(!self.address(names::GOVERNANCE).is_zero(), codes::ZERO_ADDRESS);
        }

        fn address_of(self: @ComponentState<TContractState>, name: felt252) -> ContractAddress {
            self.address(name)
        }

        fn set_parameter(ref self: ComponentState<TContractState>, name: felt252, value: u128) {
            self.require_governance();
            let (_, least, most) = Name::governed(name);
            assert(most != 0, codes::UNKNOWN_PARAMETER);
            assert(least <= value && value <= most, codes::OUT_OF_BOUNDS);
            self.parameters.entry(name).write(value + 1);
            self.emit(ParameterSet { name, value });
        }

        fn parameter_of(self: @ComponentState<TContractState>, name: felt252) -> u128 {
            let (first, _, most) = Name::governed(name);
            assert(most != 0, codes::UNKNOWN_PARAMETER);
            self.parameter(name, first)
        }

        fn upgrade(ref self: ComponentState<TContractState>, class_hash: ClassHash) {
            self.require_governance();
            assert(!class_hash.is_zero(), codes::ZERO_ADDRESS);
            replace_class_syscall(class_hash).unwrap_syscall();
            self.emit(Upgraded { class_hash });
        }
    }

    #[generate_trait]
    pub impl Internal<TContractState, +HasComponent<TContractState>> of InternalTrait<TContractState> {
        fn initialize(ref self: ComponentState<TContractState>, configurer: ContractAddress) {
            self.configurer.write(configurer);
        }

        /// The present value of a parameter that this contract holds: `self.system.parameter('ack_window', parameters::ACK_WINDOW.into())`.
        fn parameter(self: @ComponentState<TContractState>, name: felt252, first: u128) -> u128 {
            let stored = self.parameters.entry(name).read();
            if stored == 0 {
                first
            } else {
                stored - 1
            }
        }

        /// Of a contract of the system, by its name.
        #[inline(never)]
        fn address(self: @ComponentState<TContractState>, name: felt252) -> ContractAddress {
            self.addresses.entry(name).read()
        }

        #[inline(never)]
        fn require_governance(self: @ComponentState<TContractState>) {
            assert(self.is_caller(names::GOVERNANCE), codes::NOT_GOVERNANCE);
        }

        /// The caller is that contract: `assert(self.system.is_caller(names::JOBS), codes::NOT_SYSTEM)`.
        fn is_caller(self: @ComponentState<TContractState>, name: felt252) -> bool {
            let caller = get_caller_address();
            // Before `configure` all addresses are zero, which a call outside transactions may come from.
            !caller.is_zero() && caller == self.address(name)
        }

        /// Refuses while guardians have paused the system.
        fn require_live(self: @ComponentState<TContractState>) {
            let governance = IPausableDispatcher { contract_address: self.address(names::GOVERNANCE) };
            assert(!governance.paused(), codes::PAUSED);
        }
    }
}
