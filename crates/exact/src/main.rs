use profiler_exact::recorder::Recorder;
use profiler_exact::stacks::Place;
fn main() {
    let pids: Vec<u32> = std::env::args().skip(2).map(|a| a.parse().unwrap()).collect();
    let secs: f64 = std::env::args().nth(1).unwrap().parse().unwrap();
    let mut r = match Recorder::attach(&pids, 499) { Ok(r) => r, Err(e) => { eprintln!("{e} {}", e.hint()); std::process::exit(1) } };
    for (pid, i) in r.interpreters() { println!("{pid} {:?} {} {:?}", i.version, i.path, i.layout); }
    r.on().unwrap();
    let t = std::time::Instant::now();
    while t.elapsed().as_secs_f64() < secs { std::thread::sleep(std::time::Duration::from_millis(15)); r.drain(); }
    r.off().unwrap();
    println!("{:?} damaged {}\n{:?}\n{:?}", r.counts(), r.damaged(), r.joiner.stacks.tally, r.notes);
    let mut n = std::collections::HashMap::new();
    for row in &r.joiner.stacks.rows { *n.entry(row.stack).or_insert(0) += 1; }
    let mut v: Vec<_> = n.into_iter().collect(); v.sort_by_key(|x| -x.1);
    let fs = r.joiner.book.functions();
    for (s, c) in v.into_iter().take(6) {
        let names: Vec<String> = r.joiner.stacks.stacks()[s as usize].iter().map(|p| match r.joiner.stacks.places()[*p as usize] {
            Place::Python(f, l) => format!("{}:{}", fs[f as usize].name, l),
            Place::Native(i, a) => format!("{}+{:x}", r.joiner.stacks.images()[i as usize].path.rsplit('/').next().unwrap(), a),
            Place::Kernel(_) => "k".into(), o => format!("{o:?}") }).collect();
        println!("{c} {}", names.join(";"));
    }
}
