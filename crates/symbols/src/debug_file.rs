//! Separate debug files, by build id and by debug link.

use std::path::{Path, PathBuf};

use object::Object;

use crate::image::Image;

const DEBUG_ROOT: &str = "/usr/lib/debug";

/// The installed debug file of an image; only one with the same build id is accepted.
pub(crate) fn find(image: &Image) -> Option<Image> {
    if image.marks().has_debug_info {
        return None;
    }
    candidates(image)
        .into_iter()
        .filter(|path| path != image.path())
        .filter_map(|path| Image::open(&path).ok())
        .find(|found| !found.build_id().is_empty() && found.build_id() == image.build_id())
}

fn candidates(image: &Image) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    if let (Some(head), Some(tail)) = (image.build_id().get(..2), image.build_id().get(2..)) {
        paths.push(Path::new(DEBUG_ROOT).join(".build-id").join(head).join(format!("{tail}.debug")));
    }
    let link = object::File::parse(&**image.data()).ok().and_then(|file| {
        let (name, _checksum) = file.gnu_debuglink().ok()??;
        Some(String::from_utf8_lossy(name).into_owned())
    });
    if let (Some(name), Some(folder)) = (link, image.path().parent()) {
        // The name comes out of the file: only a plain file name is followed.
        if !name.contains('/') && !name.is_empty() {
            paths.push(folder.join(&name));
            paths.push(folder.join(".debug").join(&name));
            paths.push(Path::new(DEBUG_ROOT).join(folder.strip_prefix("/").unwrap_or(folder)).join(&name));
        }
    }
    paths
}
