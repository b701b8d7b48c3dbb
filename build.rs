//! Chooses who switches, refuses CPUs whose registers the switch does not know, and finds out which sanitizer is to be told
//! of switches.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=CARGO_ENCODED_RUSTFLAGS");
    let fallback = fallback();
    if fallback {
        println!("cargo::rustc-cfg=switchback_fallback");
        return;
    }
    annotate();
    if env::var("CARGO_CFG_TARGET_ARCH").as_deref() != Ok("x86_64") {
        return;
    }
    // APX adds r16 to r31. `clobber_abi("sysv64")` does not count them yet, so the compiler may keep values in them
    // across a switch, which loses them. rustc does not tell build scripts of unstable features: look at its flags.
    let features = env::var("CARGO_CFG_TARGET_FEATURE").unwrap_or_default();
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    const CPUS: [&str; 2] = ["diamondrapids", "novalake"];
    let has_apx = features.split(',').any(|feature| feature == "apxf" || feature == "egpr")
        || flags.contains("+apxf")
        || flags.contains("+egpr")
        || CPUS.iter().any(|cpu| flags.contains(&format!("target-cpu={cpu}")));
    if has_apx {
        println!(
            "cargo::error=switchback does not switch the APX registers r16 to r31 yet: build for a CPU without them, \
             for instance with -C target-cpu=x86-64-v4"
        );
    }
}

/// Whether corosensei switches instead of assembly of our own. Cargo.toml says the same where it names the crate.
fn fallback() -> bool {
    println!("cargo::rustc-check-cfg=cfg(switchback_fallback)");
    for feature in ["asan", "tsan", "valgrind"] {
        println!("cargo::rustc-check-cfg=cfg(switchback_{feature})");
    }
    let target = |name| env::var(format!("CARGO_CFG_TARGET_{name}")).unwrap_or_default();
    let ours = env::var_os("CARGO_CFG_UNIX").is_some()
        && ["x86_64", "aarch64"].contains(&target("ARCH").as_str())
        && target("POINTER_WIDTH") == "64"
        && target("ENDIAN") == "little";
    !ours || env::var_os("CARGO_FEATURE_FALLBACK").is_some()
}

/// A feature counts where its tool is: elsewhere there would be nothing to link with, or to ask.
fn annotate() {
    let is_on = |feature: &str| env::var_os(format!("CARGO_FEATURE_{}", feature.to_uppercase())).is_some();
    let sanitizers = env::var("CARGO_CFG_SANITIZE").unwrap_or_default();
    for (sanitizer, feature) in [("address", "asan"), ("thread", "tsan")] {
        if sanitizers.split(',').any(|name| name == sanitizer) {
            if is_on(feature) {
                println!("cargo::rustc-cfg=switchback_{feature}");
            } else {
                println!(
                    "cargo::warning=-Zsanitizer={sanitizer} is wrong about coroutines without feature `{feature}`"
                );
            }
        }
    }
    let has_requests = matches!(env::var("CARGO_CFG_TARGET_ARCH").as_deref(), Ok("x86_64" | "aarch64"));
    let is_linux = env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux");
    if is_on("valgrind") && has_requests && is_linux {
        println!("cargo::rustc-cfg=switchback_valgrind");
    }
}
