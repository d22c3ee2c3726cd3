//! The recorder as a program of its own, so that privileges can be given to it alone.

fn main() -> std::io::Result<()> {
    profiler_exact::serve::serve()
}
