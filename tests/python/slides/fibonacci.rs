use switchback::Generator;

fn fibonacci() -> Generator<u64> {
    Generator::new(|y| {
        let (mut a, mut b) = (0, 1);
        loop {
            y.yield_(a)?;
            (a, b) = (b, a + b);
        }
    })
}

fn main() {
    for number in fibonacci() {
        if number > 50 {
            break;
        }
        println!("{number}");
    }
}
