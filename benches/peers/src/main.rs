mod run;
fn main() {
    let args: Vec<String> = std::env::args().collect();
    assert!(run::run(&args[2], &args[3], args[4].parse().unwrap()));
}
