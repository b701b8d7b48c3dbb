//! Pipes.

use super::refused::{assert_cancelled_writes_write_nothing, assert_refused, cancelled, cancelled_before};
use super::{is_non_blocking, on};
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::sync::Arc;
use switchback::io::{self, ErrorKind, PipeReader, PipeWriter, Read, Write};
use switchback::process::Stdio;
use switchback::task;

/// More than a pipe holds.
const MUCH: usize = 1 << 20;

#[test]
fn more_than_fits_is_read_as_it_was_written_and_ends() {
    for workers in [1, 2] {
        on(workers, || {
            let (mut reader, mut writer) = io::pipe().expect("a pipe");
            let sent: Vec<u8> = (0..MUCH).map(|n| (n % 251) as u8).collect();
            let expected = sent.clone();
            let writes = task::spawn(move || {
                let mut other = writer.try_clone()?;
                writer.write_all(&sent[..MUCH / 2])?;
                drop(writer);
                (&other).write_all(&sent[MUCH / 2..])?;
                other.flush()
            });
            let mut came = Vec::new();
            (&reader).read_to_end(&mut came).expect("the end");
            assert!(came == expected);
            writes.join().expect("no panic").expect("it is read");
            assert_eq!(reader.read(&mut [0]).expect("still the end"), 0);
        });
    }
}

#[test]
fn nobody_reads_any_more() {
    on(1, || {
        let (reader, mut writer) = io::pipe().expect("a pipe");
        let clone = reader.try_clone().expect("a clone");
        let writes = task::spawn(move || writer.write_all(&[0; MUCH]));
        task::yield_now().expect("it waits now");
        drop(reader);
        task::yield_now().expect("it waits still");
        assert!(!writes.is_finished());
        drop(clone);
        assert_eq!(writes.join().expect("no panic").expect_err("nobody reads").kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn a_cancelled_read_of_a_pipe_loses_nothing() {
    on(1, || {
        let (reader, mut writer) = io::pipe().expect("a pipe");
        let reader = Arc::new(reader);
        let theirs = Arc::clone(&reader);
        assert_refused(cancelled(
            move || (&*theirs).read(&mut [0; 5]),
            || writer.write_all(b"bytes").expect("there is room"),
        ));
        // What is there is read, cancelled or not.
        let theirs = Arc::clone(&reader);
        assert_eq!(cancelled_before(move || (&*theirs).read(&mut [0; 8])).expect("it is there"), 5);
        let theirs = Arc::clone(&reader);
        assert_refused(cancelled_before(move || (&*theirs).read(&mut [0; 8])));
    });
}

#[test]
fn a_cancelled_write_to_a_pipe_has_written_nothing() {
    on(1, || {
        let (reader, writer) = io::pipe().expect("a pipe");
        assert_cancelled_writes_write_nothing(writer, reader, drop);
    });
}

/// Also of what shares the flag, as it is the pipe's end that has it.
#[test]
fn an_end_blocks_again_where_it_goes_out() {
    let (reader, writer) = io::pipe().expect("a pipe");
    let (first, second) = (reader.try_clone().expect("a clone"), writer.try_clone().expect("a clone"));
    assert!(is_non_blocking(&first) && is_non_blocking(&second));
    let numbers = [reader.as_raw_fd(), writer.as_raw_fd()];
    let reader = reader.into_std().expect("it blocks");
    let writer = writer.into_std().expect("it blocks");
    assert_eq!([reader.as_raw_fd(), writer.as_raw_fd()], numbers);
    assert!(!is_non_blocking(&first) && !is_non_blocking(&second));
    let reader = PipeReader::try_from(reader).expect("it does not block");
    let writer = PipeWriter::from_std(writer).expect("it does not block");
    assert!(is_non_blocking(&first) && is_non_blocking(&second));
    // For a child, which does not expect that it does not block.
    drop((Stdio::from(reader), Stdio::from(writer)));
    assert!(!is_non_blocking(&first) && !is_non_blocking(&second));
    // SAFETY: it was the pipe's, which has given it up.
    let owned = unsafe { OwnedFd::from_raw_fd(first.into_raw_fd()) };
    let mut first = PipeReader::try_from(owned).expect("it does not block");
    assert!(is_non_blocking(&first));
    on(1, || {
        (&second).write_all(b"x").expect("room");
        drop(OwnedFd::from(second));
        let mut text = String::new();
        first.read_to_string(&mut text).expect("the end");
        assert_eq!(text, "x");
    });
}

#[test]
fn outside_of_a_runtime_pipes_block_the_thread() {
    let (mut reader, mut writer) = io::pipe().expect("a pipe");
    let reads = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).map(|_| bytes.len())
    });
    writer.write_all(&[0; MUCH]).expect("it is read");
    drop(writer);
    assert_eq!(reads.join().expect("no panic").expect("the end"), MUCH);
}
