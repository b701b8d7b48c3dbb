use std::collections::BTreeMap;
use switchback::{Generator, Thrown, Yielder};

fn sleep(y: &Yielder<u32>, ticks: u32) -> Result<(), Thrown> {
    y.yield_(ticks)
}

fn worker(
    name: &'static str,
    pause: u32,
    times: u32,
) -> Generator<u32> {
    Generator::new(move |y| {
        for i in 0..times {
            println!("{name} {i}");
            sleep(y, pause)?;
        }
        println!("{name} is done");
        Ok(())
    })
}

fn run<const N: usize>(tasks: [Generator<u32>; N]) {
    let mut queue = BTreeMap::new();
    for (number, task) in tasks.into_iter().enumerate() {
        queue.insert((0, number), task);
    }
    while let Some(((now, number), mut task)) =
        queue.pop_first()
    {
        if let Some(ticks) = task.next() {
            queue.insert((now + ticks, number), task);
        }
    }
    println!("nothing is left to do");
}

fn main() {
    run([worker("tick", 2, 3), worker("tock", 3, 2)]);
}
