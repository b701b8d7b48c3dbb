// Whether something can be delegated to is known before the program runs: an iterator is, by another method. [83, 93, 94]
use switchback::Generator;

fn main() {
    let _ = Generator::<i32>::new(|y| y.yield_from(&mut [1, 2, 3].into_iter()));
    let _ = Generator::<i32>::new(|y| y.yield_all(5));
}
