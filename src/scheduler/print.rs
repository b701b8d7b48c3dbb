//! Dumps as text and as JSON.
#![forbid(unsafe_code)]

use super::dump::{Dump, DumpedTask, TaskState, WorkerState};
use super::handle::Task;
use core::fmt::{self, Write as _};
use core::panic::Location;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Groups in thousands.
struct Count(usize);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (place, digit) in digits.char_indices() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                f.write_char(',')?;
            }
            f.write_char(digit)?;
        }
        Ok(())
    }
}

/// What tasks of one line have in common.
type Kind<'a> = (Option<&'a str>, &'static Location<'static>, (&'static str, Option<&'static str>), Option<usize>);

impl fmt::Display for Dump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = |count| if count == 1 { "" } else { "s" };
        let (tasks, workers) = (self.tasks.len(), self.workers.len());
        writeln!(f, "{} task{} on {workers} worker{}", Count(tasks), plural(tasks), plural(workers))?;
        for (index, worker) in self.workers.iter().enumerate() {
            match worker {
                WorkerState::Answered => continue,
                WorkerState::Ended => writeln!(f, "worker {index} has ended")?,
                WorkerState::NotSwitching(None) => {
                    writeln!(f, "worker {index} does not switch, and its tasks are not listed")?
                }
                WorkerState::NotSwitching(Some(task)) => {
                    let (name, id) = (Name(task), task.id());
                    writeln!(
                        f,
                        "worker {index} does not switch, and its other tasks are not listed: it runs {name}, task {id}"
                    )?;
                }
            }
        }
        let mut groups: BTreeMap<Option<usize>, Vec<&DumpedTask>> = BTreeMap::new();
        self.tasks.iter().for_each(|task| groups.entry(task.stack).or_default().push(task));
        let mut groups: Vec<_> = groups.into_iter().collect();
        // The largest first; those without a stack last.
        groups.sort_by_key(|(stack, tasks)| (stack.is_none(), usize::MAX - tasks.len()));
        for (stack, tasks) in groups {
            write!(f, "\n{} task{} ", Count(tasks.len()), plural(tasks.len()))?;
            match stack.and_then(|stack| self.stacks.get(stack)) {
                Some(frames) => {
                    writeln!(f, "at:")?;
                    frames.iter().try_for_each(|frame| writeln!(f, "    {frame}"))?;
                }
                None => writeln!(f, "without a backtrace:")?,
            }
            self.lines(f, &tasks)?;
        }
        Ok(())
    }
}

impl Dump {
    fn lines(&self, f: &mut fmt::Formatter<'_>, tasks: &[&DumpedTask]) -> fmt::Result {
        let mut kinds: BTreeMap<Kind<'_>, Vec<&DumpedTask>> = BTreeMap::new();
        for task in tasks {
            let kind = (task.task().name(), task.task().spawned_at(), task.state().words(), task.worker());
            kinds.entry(kind).or_default().push(task);
        }
        for ((_, _, (state, what), worker), tasks) in kinds {
            let Some(first) = tasks.first() else { continue };
            write!(f, "  {}, {state}", Name(first.task()))?;
            what.map_or(Ok(()), |what| write!(f, " for {what}"))?;
            let untils = || tasks.iter().filter_map(|task| until(task, self.now));
            if let (Some(first), Some(last)) = (untils().min(), untils().max()) {
                write!(f, ", {first:.3?}")?;
                if first != last {
                    write!(f, " to {last:.3?}")?;
                }
                f.write_str(" from now")?;
            }
            worker.map_or(Ok(()), |worker| write!(f, ", worker {worker}"))?;
            let mut ids: Vec<_> = tasks.iter().map(|task| task.task().number()).collect();
            ids.sort_unstable();
            writeln!(f, ": {} {}", if ids.len() == 1 { "task" } else { "tasks" }, Ranges(&ids))?;
        }
        Ok(())
    }

    /// As JSON: an object with `workers`, `tasks` and `stacks`.
    ///
    /// Each worker has `state` ("answered", "not switching" or "ended") and `running`, the id of a task or null. Each task has
    /// `id`, `name` (or null), `spawned_at` (`file`, `line`, `column`), `state` ("not begun", "ready", "running" or "waiting"),
    /// `waits_for` (or null), `seconds_left` (until it waits no longer, or null), `worker` (or null), and `stack`, an index into
    /// `stacks`, or null. Each stack is a list of functions, innermost first.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::task;
    ///
    /// let json = switchback::run(|| task::dump().unwrap().to_json());
    /// assert!(json.contains(r#""name":"main""#));
    /// ```
    #[must_use]
    pub fn to_json(&self) -> String {
        let workers = self.workers.iter().map(|worker| {
            let (state, running) = match worker {
                WorkerState::Answered => ("answered", None),
                WorkerState::NotSwitching(task) => ("not switching", task.as_ref().map(Task::number)),
                WorkerState::Ended => ("ended", None),
            };
            format!("{{\"state\":\"{state}\",\"running\":{}}}", or_null(running))
        });
        let stacks = self.stacks.iter().map(|frames| list(frames.iter().map(|frame| quote(frame))));
        let tasks = self.tasks.iter().map(|task| self.task_json(task));
        format!("{{\"workers\":{},\"tasks\":{},\"stacks\":{}}}", list(workers), list(tasks), list(stacks))
    }

    fn task_json(&self, task: &DumpedTask) -> String {
        let (id, place) = (task.task().number(), task.task().spawned_at());
        let name = or_null(task.task().name().map(quote));
        let (state, what) = task.state().words();
        let what = or_null(what.map(quote));
        let left = or_null(until(task, self.now).map(|left| left.as_secs_f64()));
        let (worker, stack) = (or_null(task.worker()), or_null(task.stack));
        let (file, line, column) = (quote(place.file()), place.line(), place.column());
        format!(
            "{{\"id\":{id},\"name\":{name},\"spawned_at\":{{\"file\":{file},\"line\":{line},\"column\":{column}}},\
             \"state\":\"{state}\",\"waits_for\":{what},\"seconds_left\":{left},\"worker\":{worker},\"stack\":{stack}}}"
        )
    }
}

/// A task's name, if it has one, and its place.
struct Name<'a>(&'a Task);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = self.0.name() {
            write!(f, "{name:?} ")?;
        }
        write!(f, "spawned at {}", self.0.spawned_at())
    }
}

/// Sorted numbers, those in a row together.
struct Ranges<'a>(&'a [u64]);

impl fmt::Display for Ranges<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, range) in self.0.chunk_by(|a, b| a + 1 == *b).enumerate() {
            let comma = if place > 0 { ", " } else { "" };
            match range {
                [first, .., last] => write!(f, "{comma}{first}-{last}")?,
                [one] => write!(f, "{comma}{one}")?,
                [] => {}
            }
        }
        Ok(())
    }
}

fn until(task: &DumpedTask, now: Instant) -> Option<Duration> {
    match task.state() {
        TaskState::Waiting { until, .. } => Some(until?.saturating_duration_since(now)),
        _ => None,
    }
}

fn or_null(value: Option<impl fmt::Display>) -> String {
    value.map_or_else(|| "null".to_owned(), |value| value.to_string())
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(","))
}

/// A text as a string of JSON.
pub(super) fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            ' '.. => quoted.push(character),
            // Of a string, which nothing can fail to be written to.
            control => drop(write!(quoted, "\\u{:04x}", u32::from(control))),
        }
    }
    quoted + "\""
}
