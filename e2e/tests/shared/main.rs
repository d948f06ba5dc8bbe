//! Tests that share one operator on one control plane: each has client names, accounts, subscriptions and projects of its own, and none stops the operator or
//! disturbs the calls of another's client.

mod backups;
mod backups_clouds;
mod backups_plans;
mod cases_from_practice;
mod chart;
mod closing;
mod contract;
mod doors;
mod handed_over;
mod iac;
mod incidents;
mod inventory;
mod leaving;
mod ledger;
mod lifecycle;
mod line;
mod members;
mod profiles;
mod provider_types;
mod receivers;
mod responsibility;
mod scope;
mod service_levels;
mod stock_tools;
mod units;
