//! What is measured, of whom, and what is aimed at. ROWS.md is printed from here.

pub(crate) use switchback_peers_report::result::OURS;

/// Nanoseconds of CPU time, and not of a clock on the wall.
pub(crate) const CPU_TIME: &str = "ns CPU";

/// What one item of a workload is.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Trip {
    /// There and back: two switches.
    Round,
    /// One way, or what has no way.
    OneWay,
}

impl Trip {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Round => "round trip",
            Self::OneWay => "one way",
        }
    }
}

/// How many items a batch has.
#[derive(Clone, Copy)]
pub(crate) enum Items {
    /// So many that a batch takes a time that can be measured, and no more than this.
    UpTo(u64),
    /// Always so many.
    Exactly(u64),
}

pub(crate) struct Workload {
    pub(crate) name: &'static str,
    pub(crate) group: &'static str,
    /// Its definition.
    pub(crate) what: &'static str,
    pub(crate) trip: Trip,
    pub(crate) items: Items,
    /// Who takes part, ours first. A peer without such a thing does not.
    pub(crate) systems: &'static [&'static str],
    /// Ours divided by that system's is to be at most this.
    pub(crate) goal: Option<(&'static str, f64)>,
}

use Items::{Exactly, UpTo};
use Trip::{OneWay, Round};

const TRIPS: &[&str] = &[
    "switchback",
    "corosensei",
    "generator",
    "boost-context",
    "go",
    "go-pull",
    "luajit",
    "lua",
    "python",
    "greenlet",
    "stackless",
];
const FRESH: &[&str] = &["switchback", "corosensei", "generator", "boost-context", "go"];
const VALUES: &[&str] = &["switchback", "corosensei", "generator", "boost-context", "go", "stackless"];
const CHAINS: &[&str] = &["switchback", "corosensei", "generator", "go-pull", "luajit", "lua", "python", "stackless"];
const LONG_CHAINS: &[&str] = &["switchback", "corosensei", "generator", "go-pull", "luajit", "python", "stackless"];
const TASKS: &[&str] = &["switchback", "may", "tokio", "tokio-bare", "smol", "boost-fiber", "go", "asyncio"];
/// Who bears a million tasks that are spawned, and not begun.
const CROWDS: &[&str] = &["switchback", "tokio", "tokio-bare", "smol", "go", "asyncio"];

const ITEMS: Items = UpTo(10_000_000);

macro_rules! workload {
    ($group:literal $name:literal $trip:ident $items:expr, $systems:expr, $goal:expr, $what:literal) => {
        Workload { name: $name, group: $group, what: $what, trip: $trip, items: $items, systems: $systems, goal: $goal }
    };
}

#[rustfmt::skip]
pub(crate) const WORKLOADS: &[Workload] = &[
    workload!("switch" "roundtrip-0" Round ITEMS, TRIPS, Some(("corosensei", 1.15)),
        "a resumption and the yield of a `u64` that it leads to, in the body itself"),
    workload!("switch" "roundtrip-1" Round ITEMS, TRIPS, Some(("corosensei", 0.30)),
        "the same with the yield one call down. Python's calls are `yield from`s"),
    workload!("switch" "roundtrip-4" Round ITEMS, TRIPS, Some(("corosensei", 0.35)), "the same four calls down"),
    workload!("switch" "roundtrip-16" Round ITEMS, TRIPS, Some(("corosensei", 0.60)), "the same sixteen calls down"),
    workload!("switch" "send" Round ITEMS, TRIPS_BY_SENDING, Some(("corosensei", 1.15)), "a `u64` is sent, and yielded back"),
    workload!("switch" "value-64B" Round ITEMS, VALUES, Some(("corosensei", 1.15)), "64 bytes are sent, and yielded back"),
    workload!("switch" "value-4KiB" Round ITEMS, VALUES, Some(("corosensei", 1.15)), "4 KiB are sent, and yielded back"),
    workload!("switch" "throw" Round ITEMS, &["switchback", "corosensei", "boost-context", "python", "greenlet", "stackless"], Some(("corosensei", 1.5)),
        "an error goes in, is caught, and its number is yielded. corosensei and stackless ones, which cannot throw, are sent a `Result`"),
    workload!("switch" "close" OneWay ITEMS, &["switchback", "corosensei", "lua", "python"], Some(("corosensei", 0.02)),
        "one is created, started, and closed where it is suspended; a local's destructor runs. corosensei unwinds the body"),
    workload!("create" "create-fresh" OneWay Exactly(1_000), FRESH, Some(("corosensei", 0.60)),
        "a thousand are created, each resumed to its first yield, all kept: stacks that nobody has used, of each one's default size; for Boost guarded ones of 256 KiB"),
    workload!("create" "create-pooled" OneWay ITEMS, TRIPS_WITHOUT_PULL, Some(("corosensei", 1.00)),
        "an empty one is created, run and dropped, one at a time. corosensei's pool is one stack in a local; generator's is one object, made anew"),
    workload!("create" "drop-suspended" OneWay ITEMS, &["switchback", "corosensei", "generator", "boost-context", "luajit", "lua", "python", "greenlet", "stackless"],
        Some(("corosensei", 0.02)),
        "one is created, started, and dropped where it is suspended; a local's destructor runs. corosensei, generator and Boost unwind the body; Lua has no destructors, and leaves it to its collector"),
    workload!("walk" "walk" OneWay UpTo(1 << 20), &["switchback", "corosensei", "generator", "boost-context", "go", "go-pull", "luajit", "lua", "greenlet", "hand"],
        Some(("corosensei", 0.50)),
        "a tree of up to 2^20 nodes is walked in order, by recursion inside of one coroutine: an item. By hand: an iterator with a stack of its own"),
    workload!("walk" "walk-nodes" OneWay UpTo(1 << 20), &["switchback", "corosensei", "python", "stackless"], Some(("corosensei", 0.10)),
        "the same with a coroutine for each node, which delegates to those of its children: an item"),
    workload!("delegate" "delegate-1" Round ITEMS, CHAINS, None, "an item of one coroutine"),
    workload!("delegate" "delegate-10" Round UpTo(1_000_000), CHAINS, Some(("corosensei", 0.10)),
        "an item through ten coroutines, each of which delegates to the next"),
    workload!("delegate" "delegate-100" Round UpTo(1_000_000), LONG_CHAINS, Some(("corosensei", 0.005)), "the same through a hundred. Lua 5.4 ends at less"),
    workload!("delegate" "delegate-1000" Round UpTo(1_000_000), LONG_CHAINS, Some(("corosensei", 0.0002)),
        "the same through a thousand"),
    workload!("iterate" "for" OneWay ITEMS, &["switchback", "corosensei", "generator", "luajit", "lua", "python", "stackless", "hand"], Some(("corosensei", 1.25)),
        "a `for` loop over a generator that counts: an item. By hand: an iterator of which each item is hidden from the optimiser"),
    workload!("iterate" "for-dyn" OneWay ITEMS, &["switchback", "corosensei", "generator", "stackless", "hand"], Some(("corosensei", 1.25)),
        "the same through `Box<dyn Iterator>`"),
    workload!("tasks" "yield" OneWay ITEMS, TASKS, Some(("tokio", 0.05)), "two tasks yield in turn: one switch from one to the other. tokio asks its drivers (a call of the kernel) whenever all tasks have yielded"),
    workload!("tasks" "spawn-join" OneWay ITEMS, TASKS, Some(("tokio", 0.25)), "a task that returns a number is spawned and waited for, one at a time"),
    workload!("tasks" "million" OneWay Exactly(1_000_000), CROWDS, Some(("tokio", 0.30)), "a million tasks are spawned, then all are waited for: each"),
    workload!("tasks" "million-again" OneWay Exactly(1_000_000), &["switchback", "tokio", "tokio-bare", "smol", "go"], Some(("tokio", 0.30)),
        "the same in a process that has done it once. What of the memory is there still is a matter of each and its allocator"),
    workload!("tasks" "channel" OneWay ITEMS, TASKS, Some(("tokio", 0.30)),
        "a number goes to another task and comes back, through two channels with room for one (may's have no bound): one message"),
    workload!("tasks" "skynet" OneWay Exactly(1_000_000), CROWDS, Some(("tokio", 0.15)),
        "a tree of tasks, each of which spawns ten and waits for them, down to a million leaves: a leaf"),
    workload!("tasks" "mutex" OneWay ITEMS, TASKS, Some(("tokio", 0.20)), "a hundred tasks take a lock in turn, and each yields while it has it: a turn. tokio asks its drivers once a turn"),
];

const TRIPS_BY_SENDING: &[&str] = &[
    "switchback",
    "corosensei",
    "generator",
    "boost-context",
    "go",
    "luajit",
    "lua",
    "python",
    "greenlet",
    "stackless",
];
const TRIPS_WITHOUT_PULL: &[&str] = TRIPS_BY_SENDING;

/// The sweep: from how many calls down they yield, and what is told of so many live ones.
pub(crate) const FRAMES: [u32; 2] = [1, 16];
pub(crate) const LIVE: [u64; 7] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000];
pub(crate) const SWEPT: &[&str] = &["switchback", "corosensei", "go", "tokio", "boxed", "aligned"];

/// Ours on stacks whose tops are not coloured: for what resumptions cost then, and for nothing else.
const ALIGNED: &str = "aligned";

/// One figure of the sweep.
pub(crate) struct Metric {
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) trip: Trip,
    /// Fewer live ones than this say nothing of it.
    pub(crate) least: u64,
    pub(crate) what: &'static str,
    pub(crate) goal: Option<(&'static str, f64)>,
}

impl Metric {
    /// Whether it says something of a system.
    pub(crate) fn is_of(&self, system: &str) -> bool {
        system != ALIGNED || matches!(self.name, "robin" | "random")
    }
}

#[rustfmt::skip]
pub(crate) const METRICS: &[Metric] = &[
    Metric { name: "robin", unit: CPU_TIME, trip: Round, least: 1, goal: Some(("corosensei", 1.0)),
        what: "a resumption, each in its turn, to its next yield" },
    Metric { name: "random", unit: CPU_TIME, trip: Round, least: 1, goal: Some(("corosensei", 1.0)),
        what: "the same in an order that is shuffled once, the same for all systems" },
    Metric { name: "create", unit: CPU_TIME, trip: OneWay, least: 100, goal: Some(("corosensei", 0.60)),
        what: "one is created in a new process and resumed to its first yield; all are kept" },
    Metric { name: "reuse", unit: CPU_TIME, trip: OneWay, least: 100, goal: Some(("corosensei", 1.1)),
        what: "the same once all have been dropped: from the pool, or what the system has for one" },
    Metric { name: "resident", unit: "B", trip: OneWay, least: 1_000, goal: Some(("corosensei", 1.1)),
        what: "resident memory (VmRSS) that they have taken, each" },
    Metric { name: "tables", unit: "B", trip: OneWay, least: 1_000, goal: Some(("corosensei", 1.1)),
        what: "page tables (VmPTE) that they have taken, each" },
];

/// 0 + 1 + … + (n - 1).
fn sum(n: u64) -> u64 {
    n * n.saturating_sub(1) / 2
}

/// What a run of `n` items must have computed.
pub(crate) fn expected(workload: &str, n: u64) -> u64 {
    match workload {
        "yield" => 2 * sum(n / 2),
        "channel" => sum(n / 2),
        "mutex" => n / 100 * 100,
        _ => sum(n),
    }
}

/// What a run of the sweep must have: each resumption yields 1, in turn and at random.
pub(crate) fn expected_of_sweep(live: u64) -> u64 {
    2 * live.max(200_000)
}

/// ROWS.md.
pub(crate) fn rows() -> String {
    let mut text = String::from(INTRODUCTION);
    let goal =
        |goal: Option<(&str, f64)>| goal.map_or_else(|| "none".to_owned(), |(peer, most)| format!("{most} of {peer}"));
    let mut group = "";
    for workload in WORKLOADS {
        if workload.group != group {
            group = workload.group;
            text += &format!(
                "\n## {group}\n\n| row | one item | trip | items in a batch | who | goal: at most |\n|---|---|---|---|---|---|\n"
            );
        }
        let items = match workload.items {
            UpTo(most) => format!("up to {most}"),
            Exactly(n) => n.to_string(),
        };
        let who = workload.systems.join(", ");
        let Workload { name, what, trip, .. } = workload;
        text += &format!("| {name} | {what} | {} | {items} | {who} | {} |\n", trip.name(), goal(workload.goal));
    }
    text += "\n## sweep\n\n";
    text += &format!(
        "{} live ones of {}, which yield {} call down (`sweep-1`) and {} calls down (`sweep-16`). Who cannot hold as many is shown to where it stops, with its reason.\n\n",
        LIVE.map(|live| live.to_string()).join(", "),
        SWEPT.join(", "),
        FRAMES[0],
        FRAMES[1],
    );
    text += "| figure | what | trip | unit | live ones | goal: at most |\n|---|---|---|---|---|---|\n";
    for metric in METRICS {
        let Metric { name, what, trip, unit, least, .. } = metric;
        text += &format!("| {name} | {what} | {} | {unit} | {least} and more | {} |\n", trip.name(), goal(metric.goal));
    }
    text
}

const INTRODUCTION: &str = "\
# Rows and goals

What `benches/peers` measures. It was written before anything was, and no goal has changed since. What some rows do has, where a peer or ours was
at a disadvantage, and peers and *million-again* have come (its goal is that of *million*). This page is printed by the program (`-- --rows`), and `--test` compares
the two.

- **Unit**: nanoseconds an item, of the CPU time (`ns CPU`) of the whole process, user and system: what helper threads and collectors take is in
  it. There is no wall time: on one CPU it is the same, and whatever else the machine had to do.
- **Process**: each batch of each system has a process of its own, pinned to one CPU. It does a tenth of its work first, untimed,
  where that does not change what is measured. Batches are interleaved: one of each system, then the next of each.
- **Figures**: minimum, median and quartiles of the batches (15; 5 in the sweep, and where one takes more than a second); the ratio is the median of the ratios of
  batches of the same round. A goal is a ratio: ours by that peer's. Goals that are missed are told as plainly as those that are met.
- **Trip**: a *round trip* is two switches, there and back. *One way* is one of whatever the row says.
- **Sum**: each batch prints what it has computed, and the harness knows the answer.
- A system without a workload of this kind does not take part. *hand* is no peer but a bound: what a user would write without coroutines.
  Servers are measured by `benches/net`.
- Rust is compiled for release with fat link-time optimisation in one unit, C++ by `-O2 -DNDEBUG`, Go as `go build` does by default, by the Go
  of PATH; Debian's 1.19 takes less than 1.27 in most of these rows. corosensei has its default features; its `asm-unwind` takes a nightly compiler.
- *stackless* is the compiler's own coroutines, made by a nightly compiler: state machines, which cannot yield from a function that they call.
  What is a call for others is a coroutine inside of another there, which is resumed in a loop, and may be inlined.
- To leave a suspended body, corosensei, generator and Boost unwind it; ours returns an error from the yield. Whoever sends a body of corosensei a
  word that asks it to leave pays for a resumption only, as in the row *throw*.
- Tasks run on one worker, or one thread. tokio is its `current_thread` runtime with all drivers, as `#[tokio::main]` has it; *tokio-bare* is
  the same without drivers. smol is its `LocalExecutor`, which has none; ours asks the kernel for nothing until a task waits for I/O.
  Go has `GOMAXPROCS=1`, asyncio its own loop.
- may and Boost.Fiber give a task its stack as it is spawned, and cannot hold a million of them: they take no part in *million* and *skynet*.
- The sweep's tokio tasks wait for a `Notify` each, and are woken 32 at a time; its goroutines answer through a channel each; a boxed future
  is polled. So these do more, or less, than a coroutine's resumption: they are what one would use instead.
- The tops of our stacks lie at sixteen places of their pages, by turns (colours). *aligned* is ours with all at the same one, and no peer; corosensei's
  are aligned too.
";
