//! Fetches many pages over HTTP/1.1: so many at once, each for so long at most, with a progress bar.
//!
//! ```text
//! cargo run --release --example fetch_many                               # a hundred from a server of its own, and ends
//! cargo run --release --example fetch_many -- http://127.0.0.1:8080/ ..  # these
//! cargo run --release --example fetch_many -- --limit 3 --timeout 1.5 http://127.0.0.1:8080/ ..
//! ```
//!
//! So many tasks take one page after another, and what a task does is written as if there were no other (`client.rs`), without a
//! word of time: the limit is a `task::timeout` around it. Redirections are told, and not followed.
//!
//! | file | what it answers |
//! |---|---|
//! | `url.rs` | what is to be fetched, and from whom? |
//! | `client.rs` | how is one page fetched? |
//! | `many.rs` | how are many? |
//! | `report.rs` | how is it told? |
//! | `demonstration.rs` | does it do what it should, where pages are slow or fail? |

#![forbid(unsafe_code)]

#[cfg(unix)]
mod client;
#[cfg(unix)]
mod demonstration;
#[cfg(unix)]
mod many;
#[cfg(unix)]
mod report;
#[cfg(unix)]
mod url;

#[cfg(not(unix))]
fn main() {
    println!("fetch_many: there are no sockets here yet, but on Unix");
}

#[cfg(unix)]
fn main() -> std::process::ExitCode {
    use std::io::ErrorKind;
    use std::process::ExitCode;

    let (urls, limits) = match arguments(std::env::args_os().skip(1)) {
        Ok(arguments) => arguments,
        Err(wrong) => {
            report::complain(format_args!(
                "{wrong}\nusage: fetch_many [--limit N] [--timeout SECONDS] [URL..], such as http://127.0.0.1:8080/"
            ));
            return ExitCode::from(2);
        }
    };
    let done = switchback::run(|| match urls.is_empty() {
        true => demonstration::fetch_own_pages(limits),
        false => many::fetch_all(urls, limits).map(|fetched| fetched.iter().all(|page| page.is_well())),
    });
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            // Nobody wants to know any more.
            if error.kind() != ErrorKind::BrokenPipe {
                report::complain(format_args!("{error}"));
            }
            ExitCode::FAILURE
        }
    }
}

#[cfg(unix)]
fn arguments(mut given: impl Iterator<Item = std::ffi::OsString>) -> Result<(Vec<url::Url>, many::Limits), String> {
    let (mut urls, mut limits) = (Vec::new(), many::Limits::default());
    while let Some(argument) = given.next() {
        let argument = argument.to_str().ok_or_else(|| format!("{argument:?} is no text"))?;
        let mut value = || given.next().and_then(|value| value.into_string().ok());
        match argument {
            "--limit" => {
                let limit = value().and_then(|text| text.parse().ok()).filter(|limit| *limit > 0);
                limits.at_once = limit.ok_or("--limit takes a number, of 1 or more")?;
            }
            "--timeout" => {
                let seconds = value().and_then(|text| text.parse().ok());
                let each = seconds.and_then(|seconds| std::time::Duration::try_from_secs_f64(seconds).ok());
                limits.each = each.filter(|each| !each.is_zero()).ok_or("--timeout takes seconds, such as 2.5")?;
            }
            option if option.starts_with('-') => return Err(format!("{option:?} is no option")),
            text => urls.push(text.parse().map_err(|wrong| format!("{text:?} {wrong}"))?),
        }
    }
    Ok((urls, limits))
}
