//! perf.data files made here byte by byte, whole and damaged.

use std::io::Write;
use std::path::PathBuf;

use profiler_perfdata::{read, Capture, Options, PerfDataError};

const SAMPLE_TYPE: u64 = 1 | 1 << 1 | 1 << 2 | 1 << 5 | 1 << 8 | 1 << 12 | 1 << 13;
const OPTIONS: Options = Options { kallsyms: false, perf_maps: false, threads: 2 };
const PID: u32 = 77;

#[derive(Default)]
struct File {
    records: Vec<u8>,
}

fn words(values: &[u64]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn pair(low: u32, high: u32) -> u64 {
    u64::from(low) | u64::from(high) << 32
}

impl File {
    fn record(&mut self, kind: u32, misc: u16, body: &[u8]) {
        self.records.extend(kind.to_le_bytes());
        self.records.extend(misc.to_le_bytes());
        self.records.extend(u16::try_from(body.len() + 8).expect("short").to_le_bytes());
        self.records.extend(body);
    }

    fn comm(&mut self, name: &[u8; 8]) {
        let body = [words(&[pair(PID, PID)]), name.to_vec(), words(&[pair(PID, PID), 0])].concat();
        self.record(3, 0, &body);
    }

    /// A program, mapped from its start.
    fn mmap(&mut self, path: &str) {
        let mut name = path.as_bytes().to_vec();
        name.resize(path.len() / 8 * 8 + 8, 0);
        let head = words(&[pair(PID, PID), 0x10_0000, 0x1000_0000, 0, 0, 0, 0, pair(5, 2)]);
        self.record(10, 2, &[head, name, words(&[pair(PID, PID), 0])].concat());
    }

    fn sample(&mut self, time: u64, kernel: &[u64], stack: &[u8], used: u64) {
        let registers = [1, 2, 3, 4, 5, 6, 0x7000_0000_u64, 0x7000_0000, 0x20_0000];
        let chain: Vec<u64> = std::iter::once(-128_i64 as u64).chain(kernel.iter().copied()).collect();
        let body = [
            words(&[0x20_0000, pair(PID, PID), time, 1_000_000, chain.len() as u64]),
            words(&chain),
            words(&[2]),
            words(&registers),
            words(&[stack.len() as u64]),
            stack.to_vec(),
            words(&[used]),
        ];
        self.record(9, 2, &body.concat());
    }

    fn bytes(&self) -> Vec<u8> {
        let attribute = {
            let mut bytes = words(&[pair(1, 136), 0, 999, SAMPLE_TYPE, 0, 1 << 10 | 1 << 18 | 1 << 25]);
            bytes.extend(words(&[0, 0, 0, 0, 0x1ff, pair(4096, 1)]));
            bytes.resize(136, 0);
            bytes.extend(words(&[0, 0]));
            bytes
        };
        let data_at = 104 + attribute.len() as u64;
        let mut out = b"PERFILE2".to_vec();
        out.extend(words(&[104, 152, 104, attribute.len() as u64, data_at, self.records.len() as u64, 0, 0]));
        out.resize(104, 0);
        out.extend(attribute);
        out.extend(&self.records);
        out
    }
}

fn whole() -> Vec<u8> {
    let mut file = File::default();
    file.comm(b"worker\0\0");
    file.mmap("/usr/bin/true");
    for time in 0..12 {
        let stack: Vec<u8> = (0..64).flat_map(|word: u64| (0x20_0000 + word * 40).to_le_bytes()).collect();
        file.sample(1000 - time, &[0xffff_ffff_8100_0000, 0xffff_ffff_8100_1000], &stack, 512);
    }
    file.record(2, 0, &words(&[0, 5, pair(PID, PID), 0]));
    file.bytes()
}

fn read_bytes(bytes: &[u8]) -> Result<Capture, PerfDataError> {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(bytes).expect("written");
    read(file.path(), OPTIONS)
}

fn message(bytes: &[u8]) -> String {
    read_bytes(bytes).err().expect("an error").to_string()
}

#[test]
fn samples_come_in_the_order_of_time_with_period_and_kernel_frames() {
    let capture = read_bytes(&whole()).expect("a good file");
    assert_eq!(capture.time_ns, (989..=1000).collect::<Vec<i64>>());
    assert!(capture.weight_ns.iter().all(|weight| *weight == 1_000_000));
    assert_eq!((capture.lost, capture.frequency, capture.monotonic), (5, Some(999), true));
    assert_eq!(capture.threads.get(&(77, 77)).map(String::as_str), Some("worker"));
    let end = usize::try_from(capture.stack_ends[0]).expect("short");
    let leaf = &capture.frames[capture.stack_frames[end - 1] as usize];
    // Leaf of the kernel chain: taken as it is, while its caller's address is a return address.
    assert_eq!(leaf.address, 0xffff_ffff_8100_0000);
    assert_eq!(capture.frames[capture.stack_frames[end - 2] as usize].address, 0xffff_ffff_8100_0fff);
    assert!(capture.warnings.iter().any(|warning| warning.contains("kernel frames have no names")));
}

#[test]
fn every_kind_of_damage_is_named() {
    let good = whole();
    assert_eq!(message(b""), "not a perf.data file: it is empty");
    assert_eq!(message(b"\x7fELF"), "not a perf.data file: it does not begin with PERFILE2");
    assert!(message(b"PERFILE2").contains("ends inside its header"));
    assert!(message(&good[..60]).contains("header is cut off"));
    assert!(message(b"2ELIFREP").contains("big-endian"));
    let mut no_event = good.clone();
    no_event[32..40].fill(0);
    assert!(message(&no_event).contains("describes no event"));
    let mut compressed = File::default();
    compressed.record(81, 0, &[0; 16]);
    assert!(message(&compressed.bytes()).contains("compressed"));
    let folder = read(&PathBuf::from("/tmp"), OPTIONS).err().expect("no file").to_string();
    assert!(folder.contains("not a regular file"));
}

#[test]
fn a_file_that_was_cut_off_keeps_what_it_has() {
    let good = whole();
    let capture = read_bytes(&good[..good.len() - 700]).expect("most of it is there");
    assert!(capture.time_ns.len() >= 9);
    assert!(capture.warnings.iter().any(|warning| warning.contains("broken off")));
}

#[test]
fn a_full_stack_copy_that_does_not_reach_the_root_is_truncated() {
    let capture = read_bytes(&whole()).expect("a good file");
    assert!(capture.quality.truncated + capture.quality.broken > 0.99);
}

#[test]
fn damaged_bytes_give_no_panic() {
    let good = whole();
    let mut state = 5_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).expect("31 bits")
    };
    let mut readable = 0;
    for round in 0..800 {
        let mut bytes = good.clone();
        for _ in 0..=next() % 10 {
            let place = if next() % 3 == 0 { next() % 320 } else { next() % bytes.len() };
            bytes[place] = [0, 0xff, 0x7f, next() as u8][next() % 4];
        }
        if round % 4 == 0 {
            bytes.truncate(next() % bytes.len());
        }
        if let Ok(capture) = read_bytes(&bytes) {
            readable += 1;
            assert!(capture.stack.len() <= bytes.len() / 8);
            assert!(capture.stack.iter().all(|stack| (*stack as usize) < capture.stack_ends.len()));
            assert!(capture.stack_frames.iter().all(|frame| (*frame as usize) < capture.frames.len()));
        }
    }
    assert!(readable > 150, "the damage reaches behind the header: {readable}");
}
