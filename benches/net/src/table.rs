//! Rounds in which each system has its turn, and what came of them.

use crate::child::Process;
use crate::load::{Load, Talk};
use crate::servers::Server;
use std::io;
use std::time::Instant;

/// After so many rounds each system gets a new process.
const ROUNDS_OF_A_PROCESS: usize = 3;

/// A row: who does what.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) talk: Talk,
    pub(crate) connections: usize,
    pub(crate) workers: usize,
    /// Ours first; the peers with the most that ours may take of their CPU time.
    pub(crate) ours: Server,
    pub(crate) peers: &'static [(Server, Option<f64>)],
}

/// How long everything takes.
#[derive(Clone, Copy)]
pub(crate) struct Effort {
    pub(crate) rounds: usize,
    pub(crate) requests: u64,
    pub(crate) is_timed: bool,
}

struct System {
    process: Process,
    load: Load,
}

struct Measured {
    server: Server,
    /// Of each round: microseconds of CPU time, and of time, for a request.
    cpu: Vec<f64>,
    wall: Vec<f64>,
}

impl Row {
    /// Returns how many targets were missed.
    pub(crate) fn run(&self, effort: Effort) -> io::Result<usize> {
        let servers = [self.ours].into_iter().chain(self.peers.iter().map(|peer| peer.0));
        let mut measured: Vec<_> = servers.map(Measured::of).collect();
        let mut done = 0;
        while done < effort.rounds {
            // Processes of their own every few rounds: what lies where in memory differs from process to process, and so does the time.
            let mut systems = measured.iter().map(|of| self.start(of.server)).collect::<io::Result<Vec<_>>>()?;
            let rounds = ROUNDS_OF_A_PROCESS.min(effort.rounds - done);
            for round in 0..=rounds {
                // Who goes first changes. The first round is for caches and pools.
                for turn in 0..systems.len() {
                    let index = (done + round + turn) % systems.len();
                    let (cpu, wall) = systems[index].round(effort.requests)?;
                    if round > 0 {
                        measured[index].cpu.push(cpu);
                        measured[index].wall.push(wall);
                    }
                }
            }
            done += rounds;
        }
        if effort.is_timed { Ok(self.print(&measured)) } else { Ok(self.say_right(&measured)) }
    }

    fn start(&self, server: Server) -> io::Result<System> {
        let process = Process::start(server, self.workers, (self.workers == 1).then_some(0))?;
        let load = Load::connect(process.port, self.talk, self.connections, self.workers == 1)?;
        Ok(System { process, load })
    }

    fn say_right(&self, systems: &[Measured]) -> usize {
        let names: Vec<_> = systems.iter().map(|system| system.server.to_string()).collect();
        println!("{:34} right: {}", self.name, names.join(", "));
        0
    }

    fn print(&self, systems: &[Measured]) -> usize {
        let mut missed = 0;
        for (index, system) in systems.iter().enumerate() {
            let name = if index == 0 { self.name } else { "" };
            let cpu = sorted(&system.cpu);
            let wall = sorted(&system.wall);
            let spread = format!("{:.2}–{:.2}", quantile(&cpu, 0.25), quantile(&cpu, 0.75));
            print!(
                "{name:34} {:10} {:>7.2} {:>7.2} {spread:>13} {:>9.0}",
                system.server.to_string(),
                cpu[0],
                quantile(&cpu, 0.5),
                1e6 / quantile(&wall, 0.5),
            );
            if index > 0 {
                let ratios: Vec<_> =
                    systems[0].cpu.iter().zip(&system.cpu).map(|(ours, theirs)| ours / theirs).collect();
                let ratios = sorted(&ratios);
                let ratio = quantile(&ratios, 0.5);
                let quartiles = format!("{:.2}–{:.2}", quantile(&ratios, 0.25), quantile(&ratios, 0.75));
                let least = sorted(&systems[0].cpu)[0] / cpu[0];
                print!(" {ratio:>7.3} {quartiles:>11} {least:>7.3}");
                if let Some(target) = self.peers[index - 1].1 {
                    let verdict = if ratio <= target { "PASS" } else { "MISS" };
                    missed += usize::from(ratio > target);
                    print!(" {target:>7.2} {verdict}");
                }
            }
            println!();
        }
        missed
    }
}

/// Above the rows.
pub(crate) fn header(effort: Effort) {
    println!(
        "{} rounds of {} requests, in which each system has its turn, and a new process every {ROUNDS_OF_A_PROCESS}. CPU: microseconds \
         of the server for a request, in user mode and in the kernel. Ratio: of that of ours to that of the peer, the median of \
         the rounds' and their quartiles; and that of the minima.\n",
        effort.rounds, effort.requests
    );
    println!(
        "{:34} {:10} {:>7} {:>7} {:>13} {:>9} {:>7} {:>11} {:>7} {:>7}",
        "", "", "CPU min", "median", "quartiles", "/s", "ratio", "quartiles", "of mins", "target"
    );
}

impl Measured {
    fn of(server: Server) -> Self {
        Self { server, cpu: Vec::new(), wall: Vec::new() }
    }
}

impl System {
    /// Microseconds of CPU time, and of time, for a request.
    fn round(&mut self, requests: u64) -> io::Result<(f64, f64)> {
        let (cpu, start) = (self.process.cpu_time()?, Instant::now());
        let requests = self.load.run(requests)? as f64;
        let (elapsed, cpu) = (start.elapsed(), self.process.cpu_time()? - cpu);
        Ok((cpu as f64 / 1e3 / requests, elapsed.as_secs_f64() * 1e6 / requests))
    }
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values
}

/// The value below which the given part of the sorted `values` lies, interpolated.
fn quantile(values: &[f64], part: f64) -> f64 {
    let place = part * (values.len() - 1) as f64;
    let (low, high) = (values[place.floor() as usize], values[place.ceil() as usize]);
    low + (high - low) * place.fract()
}
