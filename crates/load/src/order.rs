//! What the generator is told: one order at the start, then commands. JSON lines; bytes are base64.

use std::net::SocketAddr;
use std::path::PathBuf;

use base64::prelude::{Engine as _, BASE64_STANDARD};
use serde::{Deserialize, Deserializer};

/// Where to connect.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Address {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// When requests are offered where a rate is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Arrivals {
    Constant,
    Poisson,
}

/// One endpoint: its rendered requests, which are sent in turn, and what a right answer is.
#[derive(Debug, Clone, Deserialize)]
pub struct EndpointOrder {
    pub weight: f64,
    /// Whole messages, head and body. At least one.
    #[serde(deserialize_with = "list_of_bytes")]
    pub requests: Vec<Vec<u8>>,
    pub status: u16,
    /// Length every body must have, where it is known.
    pub length: Option<u64>,
    /// What a sampled body must contain; empty for nothing.
    #[serde(default, deserialize_with = "bytes")]
    pub text: Vec<u8>,
    /// The method is HEAD.
    #[serde(default)]
    pub head: bool,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Order {
    pub address: Address,
    pub endpoints: Vec<EndpointOrder>,
    pub connections: usize,
    /// Requests per second; None is a closed loop.
    pub rate: Option<f64>,
    pub arrivals: Arrivals,
    pub seed: u64,
    pub keep_alive: bool,
    /// Requests in flight on one connection.
    pub pipeline: usize,
    pub warm_up_s: f64,
    /// The warm-up ends after this long, steady or not.
    pub warm_up_limit_s: f64,
    /// Longest time for one response, and for one connection.
    pub timeout_s: f64,
    /// The generator ends after this long, whatever happens.
    pub deadline_s: f64,
    /// Arrivals that may wait for a connection; later ones are counted as unsent.
    pub queue_limit: usize,
}

/// A stretch of measured time: equal blocks from an instant of CLOCK_MONOTONIC.
#[derive(Debug, Clone, Deserialize)]
pub struct WindowOrder {
    pub index: u64,
    pub start_ns: u64,
    pub block_ns: u64,
    pub blocks: usize,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Command {
    Window(WindowOrder),
    /// Offer nothing more; end when everything is answered, or after this long.
    Stop {
        drain_s: f64,
    },
}

impl Order {
    /// One sentence where the order can't be carried out.
    pub fn check(&self) -> Result<(), String> {
        let positive = |name: &str, value: f64| {
            if value.is_finite() && value > 0.0 && value < 1e9 {
                Ok(())
            } else {
                Err(format!("{name} must be a positive number, not {value}"))
            }
        };
        positive("timeout_s", self.timeout_s)?;
        positive("deadline_s", self.deadline_s)?;
        positive("warm_up_s", self.warm_up_s)?;
        positive("warm_up_limit_s", self.warm_up_limit_s)?;
        if let Some(rate) = self.rate {
            positive("rate", rate)?;
        }
        if self.connections == 0 || self.connections > 100_000 {
            return Err(format!("connections must be from 1 to 100000, not {}", self.connections));
        }
        if self.pipeline == 0 || self.pipeline > 1000 {
            return Err(format!("pipeline must be from 1 to 1000, not {}", self.pipeline));
        }
        if self.endpoints.is_empty() || self.endpoints.len() > 100 {
            return Err(format!("there must be from 1 to 100 endpoints, not {}", self.endpoints.len()));
        }
        for endpoint in &self.endpoints {
            positive("weight", endpoint.weight)?;
            if endpoint.requests.is_empty() || endpoint.requests.iter().any(Vec::is_empty) {
                return Err("an endpoint has no request".to_owned());
            }
        }
        Ok(())
    }
}

fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(deserializer)?;
    BASE64_STANDARD.decode(text).map_err(serde::de::Error::custom)
}

fn list_of_bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Vec<u8>>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    texts.iter().map(|text| BASE64_STANDARD.decode(text).map_err(serde::de::Error::custom)).collect()
}
