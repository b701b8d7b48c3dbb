//! smoke
use switchback::*;
#[test]
fn smoke() {
    let mut co = Coroutine::<u32, u32>::new(|y| {
        let mut t = 0;
        loop {
            t += y.yield_(t)?;
        }
    });
    assert_eq!(co.start().unwrap(), CoroutineState::Yielded(0));
    assert_eq!(co.send(5).unwrap(), CoroutineState::Yielded(5));
    drop(co);
    println!("dropped");
    let v: Vec<_> = Generator::new(|y| {
        y.yield_all(1..4)?;
        Ok(())
    })
    .collect();
    assert_eq!(v, [1, 2, 3]);
    println!("collected");
    fn chain(d: u32) -> Generator<u32, u32> {
        Generator::new(move |y| {
            if d == 0 {
                y.yield_all(0..10)?;
                println!("{}", std::backtrace::Backtrace::force_capture());
                Ok(7)
            } else {
                let mut c = chain(d - 1);
                y.yield_from(&mut c)
            }
        })
    }
    let mut c = chain(3);
    let mut v = c.values();
    assert_eq!(v.by_ref().sum::<u32>(), 45);
    assert_eq!(v.take_return(), Some(7));
}
