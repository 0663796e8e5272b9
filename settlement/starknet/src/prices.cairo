//! CIRO in dollars: the median of at least three fresh reports, at most 20 % an update, one an hour.
//!
//! A price is an integer of micro-dollars for one CIRO. Tiers use the lower of the price now and a day ago, so that a spike buys no tier.

#[starknet::component]
pub mod PriceFeedComponent {
    use core::cmp::{max, min};
    use core::num::traits::{SaturatingAdd, SaturatingSub};
    use starknet::storage::{Map, StorageAsPointer, StoragePathEntry, StoragePointerReadAccess, StoragePointerWriteAccess};
    use starknet::ContractAddress;
    use crate::cells::{to_address, to_u64};
    use crate::checks::require;
    use crate::context::{caller, now, passed};
    use crate::interfaces::{IPriceFeed, Price};
    use crate::parameters::{PRICE_CHANGE, PRICE_INTERVAL, PRICE_LAG, PRICE_QUORUM, PRICE_REPORTERS, codes};
    use crate::pool_cells::{load_price, save_price};
    use crate::system::SystemComponent;
    use crate::system::SystemComponent::InternalTrait as SystemTrait;

    const BPS: u128 = 10_000;
    /// A million million dollars for one CIRO: what a typing error would give.
    const MOST_PRICE: u128 = 1_000_000_000_000_000_000;

    #[storage]
    pub struct Storage {
        reporters: Map<u128, felt252>,
        /// The first of two cells, which pool_cells reads and writes.
        reports: Map<u128, felt252>,
        prices: Map<u64, felt252>,
        num_prices: felt252,
    }

    #[event]
    #[derive(Drop, starknet::Event)]
    pub enum Event {
        ReportersSet: ReportersSet,
        PriceReported: PriceReported,
        PriceSet: PriceSet,
    }

    #[derive(Drop, starknet::Event)]
    pub struct ReportersSet {
        pub reporters: Span<ContractAddress>,
    }

    #[derive(Drop, starknet::Event)]
    pub struct PriceReported {
        pub reporter: ContractAddress,
        pub price: u128,
    }

    #[derive(Drop, starknet::Event)]
    pub struct PriceSet {
        pub price: u128,
    }

    #[embeddable_as(Prices)]
    pub impl PriceFeed<
        TContractState, +HasComponent<TContractState>, impl Shared: SystemComponent::HasComponent<TContractState>, +Drop<TContractState>,
    > of IPriceFeed<ComponentState<TContractState>> {
        fn set_reporters(ref self: ComponentState<TContractState>, reporters: Span<ContractAddress>) {
            get_dep_component!(@self, Shared).require_governance();
            self.appoint(reporters);
        }

        fn report_price(ref self: ComponentState<TContractState>, price: u128) {
            let reporter = caller();
            let mut place: u128 = 0;
            while place != PRICE_REPORTERS.into() && self.reporter(place) != reporter {
                place = place.saturating_add(1);
            };
            require(
                array![
                    (place != PRICE_REPORTERS.into(), codes::NOT_REPORTER), (price > 0, codes::ZERO_AMOUNT), (price <= MOST_PRICE, codes::AMOUNT_TOO_LARGE),
                ],
            );
            self.set_report(place, Price { value: price, time: now() });
            self.say(Event::PriceReported(PriceReported { reporter, price }));
        }

        fn update_price(ref self: ComponentState<TContractState>) -> u128 {
            let last = self.last();
            let mut fresh: Array<u128> = array![];
            for place in 0..PRICE_REPORTERS {
                let report = self.report_at(place.into());
                if report.time != 0 && !passed(report.time, PRICE_INTERVAL + 1) {
                    fresh.append(report.value);
                }
            };
            require(
                array![
                    (last.time == 0 || passed(last.time, PRICE_INTERVAL), codes::PRICE_TOO_SOON),
                    (fresh.len() >= PRICE_QUORUM, codes::NO_QUORUM),
                ],
            );
            let mut price = median(fresh.span());
            if last.time != 0 {
                let step = last.value * PRICE_CHANGE / BPS;
                price = min(max(price, last.value.saturating_sub(step)), last.value.saturating_add(step));
            }
            let count = self.count();
            save_price(self.prices.entry(count).as_ptr().__storage_pointer_address__, Price { value: price, time: now() });
            self.num_prices.write(count.into() + 1);
            self.say(Event::PriceSet(PriceSet { price }));
            price
        }

        fn price(self: @ComponentState<TContractState>) -> Price {
            self.last()
        }

        fn tier_price(self: @ComponentState<TContractState>) -> u128 {
            self.lower_price()
        }

        fn reporter_at(self: @ComponentState<TContractState>, place: u128) -> ContractAddress {
            self.reporter(place)
        }

        fn price_fresh(self: @ComponentState<TContractState>) -> bool {
            self.is_fresh()
        }
    }

    #[generate_trait]
    pub impl Internal<TContractState, +HasComponent<TContractState>> of InternalTrait<TContractState> {
        /// Also at deployment: MALFORMED_CALLDATA, WRONG_ORDER.
        fn appoint(ref self: ComponentState<TContractState>, reporters: Span<ContractAddress>) {
            assert(reporters.len() == PRICE_REPORTERS, codes::MALFORMED_CALLDATA);
            let mut place: u128 = 0;
            for reporter in reporters {
                let mut other = 0;
                while other != place {
                    assert(self.reporter(other) != *reporter, codes::WRONG_ORDER);
                    other = other.saturating_add(1);
                };
                self.reporters.entry(place).write((*reporter).into());
                self.set_report(place, Price { value: 0, time: 0 });
                place = place.saturating_add(1);
            };
            self.say(Event::ReportersSet(ReportersSet { reporters }));
        }

        #[inline(never)]
        fn say(ref self: ComponentState<TContractState>, event: Event) {
            self.emit(event);
        }

        #[inline(never)]
        fn count(self: @ComponentState<TContractState>) -> u64 {
            to_u64(self.num_prices.read())
        }

        #[inline(never)]
        fn reporter(self: @ComponentState<TContractState>, place: u128) -> ContractAddress {
            to_address(self.reporters.entry(place).read())
        }

        #[inline(never)]
        fn report_at(self: @ComponentState<TContractState>, place: u128) -> Price {
            load_price(self.reports.entry(place).as_ptr().__storage_pointer_address__)
        }

        #[inline(never)]
        fn set_report(ref self: ComponentState<TContractState>, place: u128, report: Price) {
            save_price(self.reports.entry(place).as_ptr().__storage_pointer_address__, report);
        }

        #[inline(never)]
        fn price_at(self: @ComponentState<TContractState>, place: u64) -> Price {
            load_price(self.prices.entry(place).as_ptr().__storage_pointer_address__)
        }

        /// The last price, zeros before the first.
        #[inline(never)]
        fn last(self: @ComponentState<TContractState>) -> Price {
            let count = self.count();
            if count == 0 {
                Price { value: 0, time: 0 }
            } else {
                self.price_at(count.saturating_sub(1))
            }
        }

        #[inline(never)]
        fn is_fresh(self: @ComponentState<TContractState>) -> bool {
            let last = self.last();
            last.time != 0 && !passed(last.time, PRICE_LAG + 1)
        }

        /// Of the prices now and a day ago. Updates are an hour apart, so that at most 25 prices are looked at.
        #[inline(never)]
        fn lower_price(self: @ComponentState<TContractState>) -> u128 {
            let mut place = self.count();
            let last = self.last();
            let mut earlier = last;
            while place != 0 && !passed(earlier.time, PRICE_LAG) {
                place = place.saturating_sub(1);
                earlier = self.price_at(place);
            };
            min(last.value, earlier.value)
        }
    }

    /// The lower one of an even number: the least value with more than `middle` values up to it.
    fn median(values: Span<u128>) -> u128 {
        let middle = (values.len() - 1) / 2;
        let mut found = MOST_PRICE;
        for value in values {
            let mut at_most = 0;
            for other in values {
                if *other <= *value {
                    at_most += 1;
                }
            };
            if at_most > middle {
                found = min(found, *value);
            }
        };
        found
    }
}
