// A pool whose workers share the receiving end of a queue of jobs, and which is shut down by its drop.

use sync::{Arc, Mutex, mpsc};

type Job = Box<dyn FnOnce() + Send>;

struct Pool {
    jobs: Option<mpsc::Sender<Job>>,
    workers: Vec<thread::JoinHandle<usize>>,
}

impl Pool {
    fn new(size: usize) -> Self {
        let (jobs, receiver) = mpsc::channel::<Job>();
        let receiver = Arc::new(Mutex::new(receiver));
        let workers = (0..size)
            .map(|_| {
                let receiver = Arc::clone(&receiver);
                thread::spawn(move || {
                    let mut done = 0;
                    loop {
                        let job = receiver.lock().unwrap().recv();
                        let Ok(job) = job else { return done };
                        job();
                        done += 1;
                    }
                })
            })
            .collect();
        Self { jobs: Some(jobs), workers }
    }

    fn execute(&self, job: impl FnOnce() + Send + 'static) {
        self.jobs.as_ref().unwrap().send(Box::new(job)).unwrap();
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        drop(self.jobs.take());
        let done: usize = self.workers.drain(..).map(|worker| worker.join().unwrap()).sum();
        assert_eq!(done, 50);
    }
}

pub(crate) fn program() -> String {
    let results = Arc::new(Mutex::new(Vec::new()));
    {
        let pool = Pool::new(4);
        for n in 0..50_u64 {
            let results = Arc::clone(&results);
            pool.execute(move || {
                let product = (1..=n % 10).product::<u64>();
                thread::yield_now();
                results.lock().unwrap().push((n, product));
            });
        }
    }
    let mut results = Arc::into_inner(results).unwrap().into_inner().unwrap();
    results.sort_unstable();
    format!("{results:?}")
}
