//! Parts of a mixed run, each a run with clients of its own.

use std::rc::Rc;

use super::Run;
use crate::scenario::{Plan, Scenario};

/// Clients of the smallest part of a mixed run: they talk in pairs.
pub const PART_CLIENTS_MIN: usize = 2;

impl Run {
    /// The parts of a mixed run: each has its share of the clients, two at least, and of the rate.
    #[must_use]
    pub fn parts(&self) -> Vec<(&'static Scenario, Rc<Run>)> {
        let weights: Vec<f64> = self.plan.mix.iter().map(|(_, weight)| *weight).collect();
        let sum: f64 = weights.iter().sum();
        let shares = shares(self.plan.clients, &weights);
        let mut first = 0;
        let mut parts = Vec::new();
        for ((scenario, weight), clients) in self.plan.mix.iter().zip(shares) {
            let plan = Plan {
                clients,
                rate: self.plan.rate.map(|rate| rate.part(weight / sum)),
                mix: Vec::new(),
                ..self.plan.clone()
            };
            let part = Run {
                plan,
                accounts: self.accounts[first..first + clients].to_vec(),
                first: u32::try_from(first).unwrap_or(u32::MAX),
                shared: self.shared.clone(),
            };
            first += clients;
            parts.push((*scenario, Rc::new(part)));
        }
        parts
    }
}

/// Clients of each part of a mixed run.
///
/// All of them, by these weights, each part [`PART_CLIENTS_MIN`] at least.
fn shares(clients: usize, weights: &[f64]) -> Vec<usize> {
    let sum: f64 = weights.iter().sum();
    let free = clients.saturating_sub(PART_CLIENTS_MIN * weights.len());
    let (mut begun, mut given) = (0.0, 0);
    let share = |weight: &f64| {
        begun += weight;
        let until = (free as f64 * begun / sum).round() as usize;
        let share = until - given;
        given = until;
        PART_CLIENTS_MIN + share
    };
    weights.iter().map(share).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_share_all_clients() {
        for (clients, weights, expected) in [
            (10, &[1.0, 1.0][..], &[5, 5][..]),
            (6, &[100.0, 1.0, 1.0], &[2, 2, 2]),
            (100, &[3.0, 1.0, 1.0], &[58, 21, 21]),
            (7, &[1.0, 1.0, 1.0], &[2, 3, 2]),
        ] {
            let shares = shares(clients, weights);
            assert_eq!(shares, expected);
            assert_eq!(shares.iter().sum::<usize>(), clients);
        }
    }
}
