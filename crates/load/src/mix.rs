//! Which request comes next: endpoints by weight in a seeded order, each endpoint's rendered requests in turn.

use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;

use crate::order::EndpointOrder;

/// How often a body is looked at: the first ones of an endpoint, then one in so many.
const FIRST_SAMPLED: u64 = 20;
const ONE_SAMPLED_IN: u64 = 64;

/// One choice: indices, and whether the body of its answer is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    pub endpoint: u32,
    pub request: u32,
    pub sampled: bool,
}

#[derive(Debug)]
struct Turn {
    requests: u32,
    next: u32,
    count: u64,
    sampled: bool,
}

#[derive(Debug)]
pub struct Mix {
    /// Upper bounds of each endpoint's share of the 32-bit numbers; empty for a single endpoint.
    bounds: Vec<u32>,
    turns: Vec<Turn>,
    random: Pcg64Mcg,
}

impl Mix {
    pub fn new(endpoints: &[EndpointOrder], seed: u64) -> Mix {
        let total: f64 = endpoints.iter().map(|endpoint| endpoint.weight).sum();
        let mut sum = 0.0;
        let mut bounds: Vec<u32> = Vec::new();
        if endpoints.len() > 1 {
            for endpoint in endpoints {
                sum += endpoint.weight;
                bounds.push((sum / total * f64::from(u32::MAX)) as u32);
            }
        }
        let turns = endpoints
            .iter()
            .map(|endpoint| Turn {
                requests: endpoint.requests.len() as u32,
                next: 0,
                count: 0,
                sampled: !endpoint.text.is_empty(),
            })
            .collect();
        // Another stream than the schedule's, which has the same seed.
        Mix { bounds, turns, random: Pcg64Mcg::seed_from_u64(seed ^ 0x9e37_79b9_7f4a_7c15) }
    }

    pub fn choose(&mut self) -> Choice {
        let endpoint = if self.bounds.is_empty() {
            0
        } else {
            let drawn = self.random.next_u32();
            self.bounds.partition_point(|bound| *bound < drawn).min(self.turns.len() - 1)
        };
        let turn = &mut self.turns[endpoint];
        let request = turn.next;
        turn.next = if turn.next + 1 == turn.requests { 0 } else { turn.next + 1 };
        turn.count += 1;
        let sampled = turn.sampled && (turn.count <= FIRST_SAMPLED || turn.count.is_multiple_of(ONE_SAMPLED_IN));
        Choice { endpoint: endpoint as u32, request, sampled }
    }
}
