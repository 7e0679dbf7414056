//! What this machine can hold, asked once at the start. Elsewhere than on Linux, careful guesses.

use std::fs;

/// Memory maps that an instance needs: its stack and the guard page below, and its linear memory's image,
/// grown part and guard.
const MAPS_PER_INSTANCE: usize = 5;

/// Memory maps that the rest of the process needs: threads, allocator arenas, files, compiled components.
const OTHER_MAPS: usize = 5_000;

/// Linux's default of `vm.max_map_count`.
const DEFAULT_MAX_MAP_COUNT: usize = 65_530;

/// Assumed where the machine does not tell: the smallest machine that one would buy.
const DEFAULT_MEMORY: usize = 2 * 1024 * 1024 * 1024;

/// How many instances fit into the process's memory maps.
pub(crate) fn max_instances() -> usize {
    let maps = number_in("/proc/sys/vm/max_map_count").unwrap_or(DEFAULT_MAX_MAP_COUNT);
    maps.saturating_sub(OTHER_MAPS) / MAPS_PER_INSTANCE
}

/// The memory of this machine or of the container that the process is in, in bytes.
pub(crate) fn memory() -> usize {
    let container = number_in("/sys/fs/cgroup/memory.max");
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| total_memory(&text));
    container.into_iter().chain(machine).min().unwrap_or(DEFAULT_MEMORY)
}

fn number_in(path: &str) -> Option<usize> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

fn total_memory(meminfo: &str) -> Option<usize> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: usize = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    #[test]
    fn meminfo_is_understood() {
        let text = "MemTotal:       24659988 kB\nMemFree:        1000 kB\n";
        assert_eq!(super::total_memory(text), Some(24_659_988 * 1024));
        assert_eq!(super::total_memory("MemTotal: much\n"), None);
    }
}
