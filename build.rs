//! Refuses targets whose registers the switch does not know.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=CARGO_ENCODED_RUSTFLAGS");
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
