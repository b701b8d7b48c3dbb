use switchback::{Generator, Thrown, Yielder};

enum Tree {
    Leaf,
    Node(Box<Tree>, char, Box<Tree>),
}
use Tree::{Leaf, Node};

fn walk(y: &Yielder<char>, tree: &Tree) -> Result<(), Thrown> {
    if let Node(left, label, right) = tree {
        walk(y, left)?;
        y.yield_(*label)?;
        walk(y, right)?;
    }
    Ok(())
}

fn node(left: Tree, label: char, right: Tree) -> Tree {
    Node(Box::new(left), label, Box::new(right))
}

fn main() {
    let left = node(Leaf, 'a', node(Leaf, 'b', Leaf));
    let tree = node(left, 'c', node(Leaf, 'd', Leaf));
    let labels = Generator::new(move |y| walk(y, &tree));
    println!("{}", labels.collect::<String>());
}
