//! The same work done by two sides.

use std::io;
use std::process::{Command, Stdio};
use std::time::Duration;

use rayon::prelude::*;

use super::super::report::{Report, median, rate};
use super::super::{BenchError, failed};
use super::memory;
use crate::clock::Stopwatch;

/// How often running processes are asked for the most memory they have taken. The kernel keeps the mark, so only what is
/// taken just before the end can be missed.
const LOOK: Duration = Duration::from_millis(2);

/// This program, as an opponent of itself.
pub const OURSELVES: &str = "prepress";

/// A batch of tasks, each a process: as many side by side as there are cores.
pub struct Contest {
    pub what: String,
    pub unit: &'static str,
    /// How much of the unit a batch is.
    pub amount: f64,
    /// What `prepress bench alone` is told, task by task.
    pub ours: Vec<Vec<String>>,
    pub theirs: Vec<Opponent>,
}

/// Another program that does the same.
pub struct Opponent {
    pub program: &'static str,
    /// The Debian package that has it.
    pub package: &'static str,
    /// What it does otherwise than we, if it does.
    pub but: &'static str,
    pub tasks: Vec<Vec<String>>,
}

/// What a side needed for its rounds.
#[derive(Default)]
struct Needed {
    rates: Vec<f64>,
    memory: u64,
}

impl Contest {
    pub fn hold(self, rounds: u16, report: &mut Report) -> Result<(), BenchError> {
        eprintln!("Measuring {}: {rounds} rounds of {} …", self.what, self.ours.len());
        let program = std::env::current_exe().map_err(failed("find this program"))?;
        let ours = |told: &Vec<String>| {
            let mut command = Command::new(&program);
            command.args(["bench", "alone"]).args(told).env("RAYON_NUM_THREADS", "1");
            command
        };
        let (present, missing): (Vec<&Opponent>, Vec<_>) =
            self.theirs.iter().partition(|theirs| theirs.program == OURSELVES || is_there(theirs.program));
        for Opponent { program, package, .. } in missing {
            eprintln!("  {program} is not installed (Debian package {package}): not compared");
        }
        let mut we = Needed::default();
        let mut they: Vec<Needed> = present.iter().map(|_| Needed::default()).collect();
        for _ in 0..rounds {
            self.round(&self.ours, ours, &mut we)?;
            for (opponent, needed) in present.iter().zip(&mut they) {
                let theirs = |told: &Vec<String>| {
                    if opponent.program == OURSELVES {
                        return ours(told);
                    }
                    let mut command = Command::new(opponent.program);
                    command.args(told).env("VIPS_CONCURRENCY", "1");
                    command
                };
                self.round(&opponent.tasks, theirs, needed)?;
            }
        }
        let (value, memory) = (median(we.rates), megabytes(we.memory));
        let of_memory = format!("{}, memory of a process", self.what);
        if present.is_empty() {
            report.add(self.what.as_str(), value, self.unit);
            report.add(of_memory.as_str(), memory, "MB");
        }
        for (opponent, needed) in present.iter().zip(they) {
            let name = format!("{}{}", opponent.program, opponent.but);
            report.add_against(self.what.as_str(), value, self.unit, (name, median(needed.rates)));
            report.add_against(of_memory.as_str(), memory, "MB", (opponent.program, megabytes(needed.memory)));
        }
        Ok(())
    }

    fn round(
        &self,
        tasks: &[Vec<String>],
        command: impl Fn(&Vec<String>) -> Command + Sync,
        needed: &mut Needed,
    ) -> Result<(), BenchError> {
        let watch = Stopwatch::start();
        let memory = tasks.par_iter().with_max_len(1).map(|told| weigh(command(told)));
        let memory = memory.try_reduce(|| 0, |one, other| Ok(one.max(other)))?;
        needed.rates.push(self.amount * rate(1, watch.elapsed()));
        needed.memory = needed.memory.max(memory);
        Ok(())
    }
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

fn is_there(program: &str) -> bool {
    let asked = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    !matches!(asked, Err(error) if error.kind() == io::ErrorKind::NotFound)
}

/// Runs a command and returns the most memory that it took with its children, in bytes.
fn weigh(mut command: Command) -> Result<u64, BenchError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let failed = |reason: String| failed("run a tool")(format!("{program}: {reason}"));
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| failed(error.to_string()))?;
    let mut most = 0;
    while child.try_wait().map_err(|error| failed(error.to_string()))?.is_none() {
        most = memory::taken_by(child.id()).max(most);
        std::thread::sleep(LOOK);
    }
    let output = child.wait_with_output().map_err(|error| failed(error.to_string()))?;
    if output.status.success() { Ok(most) } else { Err(failed(String::from_utf8_lossy(&output.stderr).into_owned())) }
}
