//! Compiles the BPF program with clang; the object is embedded in the library.

use std::env;
use std::path::PathBuf;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=bpf");
    println!("cargo::rerun-if-env-changed=CLANG");
    let object = PathBuf::from(env::var("OUT_DIR").expect("cargo sets OUT_DIR")).join("walk.bpf.o");
    let clang = env::var("CLANG").unwrap_or_else(|_| "clang".to_owned());
    let architecture = env::var("CARGO_CFG_TARGET_ARCH").expect("cargo sets the architecture");
    assert_eq!(architecture, "x86_64", "the sampler knows x86-64 only");
    let status = Command::new(&clang)
        .args(["-O2", "-g", "-Wall", "-Werror", "-target", "bpf", "-D__TARGET_ARCH_x86"])
        // Debian keeps <asm/types.h> in a folder per architecture that clang does not search for this target.
        .arg(format!("-I/usr/include/{architecture}-linux-gnu"))
        .args(["-c", "bpf/walk.bpf.c", "-o"])
        .arg(&object)
        .status();
    match status {
        Ok(status) if status.success() => {}
        Ok(status) => panic!("{clang} could not compile the BPF program: {status}"),
        Err(error) => {
            panic!("{clang} is needed to build (Debian: apt install clang libbpf-dev): {error}")
        }
    }
}
