//! Rust (v0 and legacy) and C++ names as people write them, and which of them a symbol was.

/// What a mangled name says of the language it came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mangling {
    Rust,
    Cpp,
    /// A plain name: C, assembly, or exported without mangling.
    Plain,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demangled {
    /// Without Rust's hash and disambiguators; nothing else is taken away.
    pub name: String,
    pub mangling: Mangling,
}

/// Mangled names can unfold exponentially; what is longer than this helps nobody.
const LONGEST: usize = 16_384;

pub fn demangle(symbol: &str) -> Demangled {
    let plain = || Demangled { name: symbol.to_owned(), mangling: Mangling::Plain };
    if symbol.len() > LONGEST {
        return plain();
    }
    if let Ok(rust) = rustc_demangle::try_demangle(symbol) {
        if let Some(name) = bounded(format_args!("{rust:#}")) {
            return Demangled { name, mangling: Mangling::Rust };
        }
        return Demangled { name: symbol.to_owned(), mangling: Mangling::Rust };
    }
    if symbol.starts_with("_Z") || symbol.starts_with("__Z") {
        let name = cpp_demangle::Symbol::new(symbol).ok().and_then(|parsed| parsed.demangle().ok());
        if let Some(name) = name.filter(|name| name.len() <= LONGEST) {
            return Demangled { name, mangling: Mangling::Cpp };
        }
    }
    plain()
}

/// Formats into a string that refuses to grow beyond the limit.
fn bounded(arguments: std::fmt::Arguments<'_>) -> Option<String> {
    struct Limited(String);
    impl std::fmt::Write for Limited {
        fn write_str(&mut self, text: &str) -> std::fmt::Result {
            if self.0.len() + text.len() > LONGEST {
                return Err(std::fmt::Error);
            }
            self.0.push_str(text);
            Ok(())
        }
    }
    let mut out = Limited(String::new());
    std::fmt::write(&mut out, arguments).ok().map(|()| out.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_each_kind() {
        let of = |symbol: &str| {
            let found = demangle(symbol);
            (found.name, found.mangling)
        };
        assert_eq!(of("_ZN4core3fmt5write17h0123456789abcdefE"), ("core::fmt::write".into(), Mangling::Rust));
        assert_eq!(of("_RNvCs1234_7mycrate3foo"), ("mycrate::foo".into(), Mangling::Rust));
        assert_eq!(of("_ZN3foo3barEi"), ("foo::bar(int)".into(), Mangling::Cpp));
        assert_eq!(of("PyObject_Call"), ("PyObject_Call".into(), Mangling::Plain));
        assert_eq!(of("_ZN"), ("_ZN".into(), Mangling::Plain));
    }

    #[test]
    fn a_name_that_unfolds_without_end_stays_small() {
        let mut symbol = String::from("_RMC0");
        symbol.push_str(&"TTTTTTTT".repeat(1000));
        assert!(demangle(&symbol).name.len() <= LONGEST);
    }
}
