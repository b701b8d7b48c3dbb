// A directory tree walked by several at once: folders to be read are in a queue that all of them share, and each adds to it what it
// finds. They end when the queue is empty and nobody is reading any more.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use sync::{Arc, Condvar, Mutex, mpsc};

#[derive(Default)]
struct Folders {
    queue: VecDeque<PathBuf>,
    readers: usize,
}

fn walk(folders: &Mutex<Folders>, changed: &Condvar, found: &mpsc::Sender<(String, u64)>) {
    let mut state = folders.lock().unwrap();
    loop {
        let Some(folder) = state.queue.pop_front() else {
            if state.readers == 0 {
                changed.notify_all();
                return;
            }
            state = changed.wait(state).unwrap();
            continue;
        };
        state.readers += 1;
        drop(state);
        let mut below = Vec::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                below.push(path);
                continue;
            }
            let kind = path.extension().map_or(String::new(), |extension| extension.to_string_lossy().into_owned());
            found.send((kind, path.metadata().unwrap().len())).unwrap();
        }
        state = folders.lock().unwrap();
        state.queue.extend(below);
        state.readers -= 1;
        changed.notify_all();
    }
}

pub(crate) fn program() -> String {
    let folders = Arc::new((Mutex::new(Folders::default()), Condvar::new()));
    folders.0.lock().unwrap().queue.extend(["src", "arch", "docs"].map(PathBuf::from));
    let (sender, receiver) = mpsc::channel();
    let walkers: Vec<_> = (0..4)
        .map(|_| {
            let (folders, sender) = (Arc::clone(&folders), sender.clone());
            thread::spawn(move || walk(&folders.0, &folders.1, &sender))
        })
        .collect();
    drop(sender);
    let mut kinds = BTreeMap::new();
    for (kind, len) in receiver {
        let (files, bytes) = kinds.entry(kind).or_insert((0, 0));
        *files += 1;
        *bytes += len;
    }
    walkers.into_iter().for_each(|walker| walker.join().unwrap());
    assert!(kinds["rs"].0 > 100 && kinds["s"].0 > 3);
    kinds.into_iter().map(|(kind, (files, bytes))| format!(".{kind}: {files} files, {bytes} bytes\n")).collect()
}
