use switchback::Generator;

struct File(&'static str);

impl Drop for File {
    fn drop(&mut self) {
        println!("{} is closed", self.0);
    }
}

fn lines(name: &'static str) -> Generator<&'static str> {
    Generator::new(move |y| {
        let _file = File(name);
        println!("{name} is open");
        loop {
            if let Err(exit) = y.yield_("a line") {
                println!("asked to leave");
                return Err(exit);
            }
        }
    })
}

fn main() {
    let mut co = lines("first");
    println!("{}", co.next().unwrap_or("no line"));
    co.close().expect("it leaves");

    let mut co = lines("second");
    println!("{}", co.next().unwrap_or("no line"));
    drop(co);
    println!("the end");
}
