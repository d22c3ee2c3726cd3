//! What can go wrong while recording, as sentences for a user.

/// An error with the sentence a user reads and, where there is one, what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel or its settings refuse.
    #[error("{message}")]
    Refused {
        /// What was refused.
        message: String,
        /// What to do.
        hint: String,
    },
    /// The target can't be read or is something this sampler does not know.
    #[error("{0}")]
    Target(String),
    /// Reading or writing failed.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: String,
        /// Why it failed.
        source: std::io::Error,
    },
}

impl Error {
    /// An I/O error with what was being done.
    pub fn io(what: impl Into<String>, source: std::io::Error) -> Self {
        Self::Io { what: what.into(), source }
    }

    /// What to do about it; empty where there is nothing to say.
    pub fn hint(&self) -> &str {
        match self {
            Self::Refused { hint, .. } => hint,
            _ => "",
        }
    }
}

/// A result with this crate's error.
pub type Result<T> = std::result::Result<T, Error>;
