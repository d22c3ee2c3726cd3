//! Latency histograms: nanoseconds in HDR histograms of three digits, their portable form, and merging without loss.

use base64::prelude::{Engine as _, BASE64_STANDARD};
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};
use hdrhistogram::Histogram;

const LOWEST_NS: u64 = 1_000;
const HIGHEST_NS: u64 = 3_600_000_000_000;
const DIGITS: u8 = 3;

/// Histogram of nanoseconds: half a microsecond apart at the least, three digits, up to an hour.
#[derive(Debug, Clone)]
pub struct Latency(Histogram<u64>);

impl Default for Latency {
    fn default() -> Latency {
        #[allow(clippy::unwrap_used)] // constants that are valid bounds
        Latency(Histogram::new_with_bounds(LOWEST_NS, HIGHEST_NS, DIGITS).unwrap())
    }
}

impl Latency {
    pub fn record(&mut self, nanoseconds: u64) {
        self.0.saturating_record(nanoseconds);
    }

    pub fn reset(&mut self) {
        self.0.reset();
    }

    pub fn len(&self) -> u64 {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn mean_ns(&self) -> f64 {
        self.0.mean()
    }

    pub fn max_ns(&self) -> u64 {
        self.0.max()
    }

    /// The value that a share (0 to 1) of all does not exceed.
    pub fn quantile_ns(&self, share: f64) -> u64 {
        self.0.value_at_quantile(share)
    }

    /// Add another histogram; counts stay exact.
    pub fn merge(&mut self, other: &Latency) -> Result<(), String> {
        self.0.add(&other.0).map_err(|error| error.to_string())
    }

    /// V2 with deflate, base64: what other HDR tools read too.
    pub fn encode(&self) -> String {
        let mut bytes = Vec::new();
        // Writing to memory does not fail.
        let _ = V2DeflateSerializer::new().serialize(&self.0, &mut bytes);
        BASE64_STANDARD.encode(bytes)
    }

    pub fn decode(text: &str) -> Result<Latency, String> {
        let bytes = BASE64_STANDARD.decode(text).map_err(|error| format!("not base64: {error}"))?;
        let histogram = Deserializer::new()
            .deserialize(&mut bytes.as_slice())
            .map_err(|error| format!("not an HDR histogram: {error}"))?;
        Ok(Latency(histogram))
    }
}
