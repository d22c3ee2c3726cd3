//! Damaged ELF files: an error or no name, never a panic, within bounded time.

use std::path::{Path, PathBuf};
use std::process::Command;

use profiler_symbols::{Image, Inlines};

/// A fixed sequence of pseudo-random numbers, so that a failure can be repeated.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next()).expect("31 bits") % limit.max(1)
    }
}

const SOURCE: &str = "
static inline __attribute__((always_inline)) int inner(int n) { int t = 0; for (int i = 0; i < n; i++) t += i * n; return t; }
__attribute__((noinline)) int outer(int n) { return inner(n) + 1; }
int main(int count, char **words) { (void)words; return outer(count); }
";

/// A real program with symbols, unwind tables and debug information.
fn program() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let (source, binary) = (folder.path().join("program.c"), folder.path().join("program"));
    std::fs::write(&source, SOURCE).expect("written");
    let status = Command::new("cc").args(["-O2", "-g", "-o"]).arg(&binary).arg(&source).status().expect("cc runs");
    assert!(status.success());
    (folder, binary)
}

/// Asks everything of an image, at addresses all over the file.
fn ask(image: &Image, numbers: &mut Numbers) {
    let inlines = Inlines::of(image);
    for _ in 0..24 {
        let address = match numbers.below(3) {
            0 => 0x1000 + numbers.next() % 0x400,
            1 => numbers.next() % 0x10000,
            _ => numbers.next() << 32 | numbers.next(),
        };
        let _ = image.symbol(address).map(|symbol| symbol.name.len());
        let _ = image.function_range(address);
        if let Some(inlines) = &inlines {
            assert!(inlines.find(address).len() <= 512);
        }
        let _ = image.bias(address, numbers.next() % 0x4000);
    }
}

#[test]
fn the_whole_file_is_read() {
    let (_folder, path) = program();
    let image = Image::open(&path).expect("a good file");
    let outer = (0x1000..0x2000).find(|address| image.symbol(*address).is_some_and(|found| found.name == "outer"));
    let outer = outer.expect("the symbol is there");
    assert_eq!(image.function_range(outer).expect("it has unwind information").start, outer);
    let inlines = Inlines::of(&image).expect("it has debug information");
    let range = image.function_range(outer).expect("a range");
    let names = |address| inlines.find(address).into_iter().map(|frame| frame.name).collect::<Vec<_>>();
    assert!(range.clone().any(|address| names(address) == ["outer", "inner"]));
    assert!(!image.marks().stripped && !image.marks().rust && !image.marks().cpython);
    assert_eq!(image.build_id().len(), 40);
}

#[test]
fn this_program_is_recognised_as_rust() {
    let image = Image::open(Path::new("/proc/self/exe")).expect("this test");
    assert!(image.marks().rust);
}

#[test]
fn damaged_bytes_give_no_panic() {
    let (_folder, path) = program();
    let whole = std::fs::read(&path).expect("read");
    let mut numbers = Numbers(7);
    let mut readable = 0;
    for _ in 0..1500 {
        let mut bytes = whole.clone();
        for _ in 0..=numbers.below(12) {
            // Headers and tables are short: half of the damage goes there.
            let place = match numbers.below(4) {
                0 => numbers.below(64 + 13 * 56),
                1 => bytes.len() - 1 - numbers.below(40 * 64),
                _ => numbers.below(bytes.len()),
            };
            bytes[place] = match numbers.below(3) {
                0 => 0xff,
                1 => 0,
                _ => numbers.next() as u8,
            };
        }
        if let Ok(image) = Image::from_bytes(Path::new("/damaged"), bytes) {
            readable += 1;
            ask(&image, &mut numbers);
        }
    }
    assert!(readable > 100, "the damage reaches behind the header: {readable}");
}

#[test]
fn cut_files_give_no_panic() {
    let (_folder, path) = program();
    let whole = std::fs::read(&path).expect("read");
    let mut numbers = Numbers(11);
    for length in (0..whole.len()).step_by(97) {
        if let Ok(image) = Image::from_bytes(Path::new("/cut"), whole[..length].to_vec()) {
            ask(&image, &mut numbers);
        }
    }
}

#[test]
fn what_is_no_file_is_an_error_with_its_path() {
    for path in ["/nowhere/at/all", "/tmp", "/dev/null", "/etc/passwd"] {
        let error = Image::open(Path::new(path)).err().expect("no ELF file").to_string();
        assert!(error.starts_with(path), "{error}");
    }
}
