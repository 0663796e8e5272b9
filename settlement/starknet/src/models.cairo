//! ModelRegistry: immutable model versions. Only the fee of future jobs and retirement may change.

#[starknet::contract]
pub mod ModelRegistry {
    use core::num::traits::Zero;
    use starknet::storage::{Map, StoragePathEntry, StoragePointerReadAccess, StoragePointerWriteAccess};
    use starknet::{ContractAddress, get_caller_address, get_contract_address, get_tx_info};
    use crate::arithmetic::hash_words;
    use crate::interfaces::{IModelRegistry, IProofRegistryDispatcher, IProofRegistryDispatcherTrait, Model};
    use crate::parameters;
    use crate::parameters::codes;
    use crate::system::{Named, SystemComponent, names};

    component!(path: SystemComponent, storage: system, event: SystemEvent);

    impl Name of Named {
        const NAME: felt252 = names::MODELS;
    }
    #[abi(embed_v0)]
    impl Shared = SystemComponent::Shared<ContractState>;
    impl SharedInternal = SystemComponent::Internal<ContractState>;

    #[storage]
    struct Storage {
        models: Map<u256, Model>,
        num_models: Map<ContractAddress, u64>,
        #[substorage(v0)]
        system: SystemComponent::Storage,
    }

    #[event]
    #[derive(Drop, starknet::Event)]
    pub enum Event {
        ModelRegistered: ModelRegistered,
        FeeSet: FeeSet,
        ModelRetired: ModelRetired,
        #[flat]
        SystemEvent: SystemComponent::Event,
    }

    #[derive(Drop, starknet::Event)]
    pub struct ModelRegistered {
        pub model: u256,
        pub owner: ContractAddress,
        pub program_digest: u256,
        pub model_commitment: u256,
        pub vk_digest: u256,
        pub proof_system: u8,
        pub fee: u128,
    }

    #[derive(Drop, starknet::Event)]
    pub struct FeeSet {
        pub model: u256,
        pub fee: u128,
    }

    #[derive(Drop, starknet::Event)]
    pub struct ModelRetired {
        pub model: u256,
    }

    #[constructor]
    fn constructor(ref self: ContractState, configurer: ContractAddress) {
        self.system.initialize(configurer);
    }

    #[abi(embed_v0)]
    impl Models of IModelRegistry<ContractState> {
        fn register_model(
            ref self: ContractState, program_digest: u256, model_commitment: u256, vk_digest: u256, proof_system: u8, fee: u128,
        ) -> u256 {
            let registry = IProofRegistryDispatcher { contract_address: self.system.address(names::REGISTRY) };
            assert(registry.current_version(proof_system) != 0, codes::UNKNOWN_SYSTEM);
            assert(fee <= parameters::SUPPLY, codes::AMOUNT_TOO_LARGE);
            let owner = get_caller_address();
            let count = self.num_models.entry(owner).read();
            let model = hash_words(
                array![get_tx_info().unbox().chain_id.into(), word(get_contract_address()), word(owner), count.into()].span(),
            );
            self.num_models.entry(owner).write(count + 1);
            let version = Model { owner, program_digest, model_commitment, vk_digest, proof_system, fee, retired: false };
            self.models.entry(model).write(version);
            self.emit(ModelRegistered { model, owner, program_digest, model_commitment, vk_digest, proof_system, fee });
            model
        }

        fn set_fee(ref self: ContractState, model: u256, fee: u128) {
            self.require_owned(model);
            assert(fee <= parameters::SUPPLY, codes::AMOUNT_TOO_LARGE);
            self.models.entry(model).fee.write(fee);
            self.emit(FeeSet { model, fee });
        }

        fn retire(ref self: ContractState, model: u256) {
            self.require_owned(model);
            self.models.entry(model).retired.write(true);
            self.emit(ModelRetired { model });
        }

        fn model_of(self: @ContractState, model: u256) -> Model {
            self.models.entry(model).read()
        }
    }

    #[generate_trait]
    impl Internal of InternalTrait {
        /// The model is there, the caller's, and not retired.
        fn require_owned(self: @ContractState, model: u256) {
            let found = self.models.entry(model);
            let owner = found.owner.read();
            assert(!owner.is_zero(), codes::UNKNOWN_MODEL);
            assert(owner == get_caller_address(), codes::NOT_OWNER);
            assert(!found.retired.read(), codes::MODEL_RETIRED);
        }
    }

    /// An address as a word to hash.
    fn word(address: ContractAddress) -> u256 {
        let felt: felt252 = address.into();
        felt.into()
    }
}
