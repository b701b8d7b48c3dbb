//! How much memory is left, as Linux tells.
#![forbid(unsafe_code)]

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// How many bytes of memory are left for new pages without anybody suffering, swap included, and how many there are in all:
/// on the machine (proc_meminfo(5)), or in the narrowest of the process's control groups.
pub(in crate::stack) fn memory() -> Option<(usize, usize)> {
    let memory = read("/proc/meminfo")?;
    let bytes = |name| kilobytes_of(&memory, name).map(|number| number.saturating_mul(1024));
    let machine = (bytes("MemAvailable:")?.saturating_add(bytes("SwapFree:")?), bytes("MemTotal:")?);
    let groups = read("/proc/self/cgroup").unwrap_or_default();
    let group = of_groups(&groups, Path::new("/sys/fs/cgroup"));
    Some(group.into_iter().fold(machine, |(left, total), (l, t)| (left.min(l), total.min(t))))
}

/// The same of the control groups that `groups` lists, as /proc/self/cgroup does (cgroups(7)).
fn of_groups(groups: &str, mounted: &Path) -> Option<(usize, usize)> {
    groups.lines().filter_map(|line| of_group(line, mounted)).reduce(|a, b| (a.0.min(b.0), a.1.min(b.1)))
}

fn of_group(line: &str, mounted: &Path) -> Option<(usize, usize)> {
    let mut fields = line.splitn(3, ':').skip(1);
    let (controllers, path) = (fields.next()?, fields.next()?.trim_start_matches('/'));
    let (mounted, limit, used, reclaimable) = if controllers.is_empty() {
        (mounted.to_owned(), "memory.max", "memory.current", ["inactive_file ", "active_file "])
    } else if controllers.split(',').any(|controller| controller == "memory") {
        let files = ["total_inactive_file ", "total_active_file "];
        (mounted.join("memory"), "memory.limit_in_bytes", "memory.usage_in_bytes", files)
    } else {
        return None;
    };
    // Inside of a container the path may be one of outside, and the container's own group is what is mounted.
    let group = mounted.join(path);
    let groups = group.ancestors().take_while(|group| group.starts_with(&mounted));
    groups
        .filter_map(|group| {
            let number = |name| read(group.join(name))?.trim().parse::<usize>().ok();
            let stat = read(group.join("memory.stat")).unwrap_or_default();
            let (limit, used) = (number(limit)?, number(used)?);
            // What is only kept of files goes when memory is asked for. It counts as used, and grows until all is.
            let kept: usize = reclaimable.iter().filter_map(|name| bytes_of(&stat, name)).sum();
            Some((limit.saturating_sub(used.saturating_sub(kept)), limit))
        })
        .reduce(|a, b| (a.0.min(b.0), a.1.min(b.1)))
}

/// Reads a file that says that it has no length. std's own function reads it in a dozen small steps.
fn read(path: impl AsRef<Path>) -> Option<String> {
    let mut text = String::with_capacity(4 * 1024);
    File::open(path).ok()?.read_to_string(&mut text).ok()?;
    Some(text)
}

fn bytes_of(stat: &str, name: &str) -> Option<usize> {
    stat.lines().find_map(|line| line.strip_prefix(name))?.trim().parse().ok()
}

pub(super) fn kilobytes_of(memory: &str, name: &str) -> Option<usize> {
    let line = memory.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().trim_end_matches("kB").trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_narrowest_group_counts_and_kept_files_do_not() {
        let mounted = std::env::temp_dir().join(format!("switchback-groups-{}", std::process::id()));
        let write = |path: &str, text: &str| {
            let path = mounted.join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("it can be made");
            fs::write(path, text).expect("it can be written");
        };
        // Version 2: a group with a limit in one without.
        write("outer/memory.max", "5000\n");
        write("outer/memory.current", "4000\n");
        write("outer/memory.stat", "anon 900\nfile 3100\ninactive_file 2000\nactive_file 1000\n");
        write("outer/inner/memory.max", "max\n");
        write("outer/inner/memory.current", "100\n");
        // Version 1: the path is one of outside of the container.
        write("memory/memory.limit_in_bytes", "7000\n");
        write("memory/memory.usage_in_bytes", "6500\n");
        write("memory/memory.stat", "inactive_file 1\ntotal_inactive_file 200\ntotal_active_file 100\n");
        let found = |groups| of_groups(groups, &mounted);
        let (two, one) = (found("0::/outer/inner\n"), found("9:cpu,memory:/docker/1234\n0::/\n"));
        let (both, none) = (found("4:memory:/\n0::/outer\n"), found("3:cpuset:/\nnonsense\n"));
        fs::remove_dir_all(&mounted).expect("it was made above");
        assert_eq!((two, one, both, none), (Some((4000, 5000)), Some((800, 7000)), Some((800, 5000)), None));
    }
}
