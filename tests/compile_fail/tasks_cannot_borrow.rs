// A task may outlive whoever spawns it: a scope is what borrows.
fn main() {
    let words = vec!["a"];
    switchback::task::spawn(|| words.len());
}
