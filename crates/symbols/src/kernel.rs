//! Kernel symbols of the running kernel.

use std::io::Read;

/// A kernel function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KernelSymbol<'a> {
    pub name: &'a str,
    /// Name of the kernel module, empty for the kernel itself.
    pub module: &'a str,
    pub start: u64,
}

/// Symbols by address.
#[derive(Default)]
pub struct KernelSymbols {
    text: String,
    /// Address, start and length of the name and of the module in the text.
    entries: Vec<(u64, u32, u16, u32, u16)>,
}

/// A kernel has some 200,000 symbols of 60 bytes a line.
const MOST_BYTES: u64 = 256 << 20;

impl KernelSymbols {
    /// Reads `/proc/kallsyms`; `None` where it is missing or its addresses are hidden.
    pub fn read() -> Option<Self> {
        let mut text = String::new();
        std::fs::File::open("/proc/kallsyms").ok()?.take(MOST_BYTES).read_to_string(&mut text).ok()?;
        let symbols = Self::parse(text);
        (!symbols.entries.is_empty()).then_some(symbols)
    }

    /// Lines of address, type, name and an optional module in brackets. Zero addresses (hidden) and data are left out.
    pub fn parse(text: String) -> Self {
        let mut entries = Vec::new();
        let base = text.as_ptr() as usize;
        let place = |part: &str| {
            let start = u32::try_from(part.as_ptr() as usize - base).unwrap_or(0);
            (start, u16::try_from(part.len()).unwrap_or(u16::MAX))
        };
        for line in text.lines() {
            let mut parts = line.split_ascii_whitespace();
            let (Some(address), Some(kind), Some(name)) = (parts.next(), parts.next(), parts.next()) else {
                continue;
            };
            let Ok(address) = u64::from_str_radix(address, 16) else {
                continue;
            };
            if address == 0 || !matches!(kind, "t" | "T" | "w" | "W") {
                continue;
            }
            let module = parts.next().map_or("", |part| part.trim_matches(['[', ']']));
            let (name, module) = (place(name), if module.is_empty() { (0, 0) } else { place(module) });
            entries.push((address, name.0, name.1, module.0, module.1));
        }
        // Stable, so of several names at one address the first one listed is found in every run.
        entries.sort_by_key(|entry| entry.0);
        entries.dedup_by_key(|entry| entry.0);
        Self { text, entries }
    }

    pub fn find(&self, address: u64) -> Option<KernelSymbol<'_>> {
        let after = self.entries.partition_point(|entry| entry.0 <= address);
        let entry = self.entries[..after].last()?;
        Some(KernelSymbol { name: self.part(entry.1, entry.2)?, module: self.part(entry.3, entry.4)?, start: entry.0 })
    }

    /// Address of a symbol, to compare this kernel with the one a file was recorded on.
    pub fn address_of(&self, name: &str) -> Option<u64> {
        self.entries.iter().find(|entry| self.part(entry.1, entry.2) == Some(name)).map(|entry| entry.0)
    }

    fn part(&self, start: u32, length: u16) -> Option<&str> {
        self.text.get(start as usize..start as usize + usize::from(length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "ffffffff81000000 T _stext\nffffffff81000100 t do_one\nffffffff81000200 D data\n\
                        ffffffffc0000000 t helper\t[nf_tables]\ngarbage\n";

    #[test]
    fn finds_functions_and_modules() {
        let symbols = KernelSymbols::parse(TEXT.into());
        assert_eq!(symbols.find(0xffff_ffff_8100_01ff).map(|found| (found.name, found.module)), Some(("do_one", "")));
        let found = symbols.find(0xffff_ffff_c000_0010);
        assert_eq!(found.map(|found| (found.name, found.module)), Some(("helper", "nf_tables")));
        assert_eq!(symbols.find(1), None);
        assert_eq!(symbols.address_of("_stext"), Some(0xffff_ffff_8100_0000));
    }

    #[test]
    fn hidden_addresses_are_no_symbols() {
        assert!(KernelSymbols::parse("0000000000000000 T _stext\n".into()).entries.is_empty());
    }
}
