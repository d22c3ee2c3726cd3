//! Every ELF file is opened once.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use crate::image::Image;
use crate::vdso;

/// Opened images by path, shared by all threads. A file that can't be read is remembered as such.
#[derive(Default)]
pub struct ImageStore {
    images: Mutex<HashMap<String, Result<Arc<Image>, String>>>,
}

impl ImageStore {
    pub fn new() -> Self {
        Self::default()
    }

    /// The image at a path as the kernel names mappings; an error says why there is none.
    pub fn open(&self, path: &str) -> Result<Arc<Image>, String> {
        let mut images = self.images.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = images.get(path) {
            return known.clone();
        }
        let opened = if path == "[vdso]" {
            vdso::read().ok_or_else(|| "[vdso]: could not be read".to_owned())
        } else if path.starts_with('/') && !path.starts_with("//") && !path.starts_with("/dev/") {
            Image::open(Path::new(path)).map_err(|error| error.to_string())
        } else {
            Err(format!("{path}: not a file"))
        };
        let opened = opened.map(Arc::new);
        images.insert(path.to_owned(), opened.clone());
        opened
    }
}
