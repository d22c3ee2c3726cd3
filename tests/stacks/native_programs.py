"""Small programs with known call paths, built and recorded with the real tools."""

from __future__ import annotations

import subprocess
from pathlib import Path

C_SOURCE = r"""
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <stdlib.h>
#include <time.h>
#ifndef CPU_MS
#define CPU_MS 300
#endif
static volatile uint64_t sink;
static inline __attribute__((always_inline)) uint64_t inlined_loop(uint64_t n) {
    uint64_t t = 0;
    for (uint64_t i = 0; i < n; i++) t += i * i ^ sink;
    return t;
}
__attribute__((noinline)) uint64_t leaf_function(uint64_t n) { return inlined_loop(n) + 1; }
__attribute__((noinline)) uint64_t middle(uint64_t n) { uint64_t r = leaf_function(n); sink += r; return r + 1; }
__attribute__((noinline)) uint64_t recurse(int depth, uint64_t n) {
    uint64_t r = depth ? recurse(depth - 1, n) : middle(n);
    sink += r;
    return r + 1;
}
static double cpu(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}
static void *thread_main(void *a) { while (cpu() < CPU_MS) recurse(20, 20000); return a; }
int main(void) {
    pthread_t t;
    pthread_create(&t, 0, thread_main, 0);
    char *b = malloc(1 << 20);
    while (cpu() < CPU_MS) { memset(b, 1, 1 << 20); recurse(3, 50000); }
    pthread_join(t, 0);
    return 0;
}
"""

RUST_SOURCE = r"""
use std::hint::black_box;
struct Worker { seed: u64 }
trait Work { fn run_work(&self, n: u64) -> u64; }
impl Work for Worker {
    #[inline(never)]
    fn run_work(&self, n: u64) -> u64 {
        let f: Box<dyn Fn(u64) -> u64> = Box::new(move |x| black_box((0..n).fold(x, |t, i| t ^ i.wrapping_mul(t | 3))));
        black_box(f(self.seed))
    }
}
#[inline(never)]
fn drive<T: Work>(w: &T) -> u64 { black_box(w.run_work(black_box(200_000))) }
fn main() {
    let start = std::time::Instant::now();
    let w = Worker { seed: 7 };
    while start.elapsed().as_millis() < 400 { black_box(drive(&w)); }
}
"""


def build_c(folder: Path, *, cpu_ms: int = 300) -> Path:
    source, program = folder / "nest.c", folder / "nest"
    source.write_text(C_SOURCE)
    argv = ["cc", "-O2", "-g", f"-DCPU_MS={cpu_ms}", "-o", str(program), str(source), "-lpthread"]
    subprocess.run(argv, check=True)
    return program


def build_rust(folder: Path, *flags: str, name: str = "worker") -> Path:
    source, program = folder / "worker.rs", folder / name
    source.write_text(RUST_SOURCE)
    subprocess.run(["rustc", "-O", *flags, "-o", str(program), str(source)], check=True, stderr=subprocess.PIPE)
    return program


def record(program: list[str], data: Path, *, stack: int = 16_384, hz: int = 499) -> Path:
    argv = ["perf", "record", "-q", "-F", str(hz), "-e", "cpu-clock", "--call-graph", f"dwarf,{stack}"]
    argv += ["-k", "CLOCK_MONOTONIC", "--no-buildid-cache", "-o", str(data), "--", *program]
    subprocess.run(argv, check=True, capture_output=True)
    return data
