//! Tests that need what not every machine has.

/// Tells why a test is not run; a failure where `SWITCHBACK_REQUIRE` has `what` among its words.
#[track_caller]
pub(crate) fn skip(what: &str, why: &str) {
    let required = std::env::var("SWITCHBACK_REQUIRE").unwrap_or_default();
    assert!(!required.split(' ').any(|word| word == what), "{what} is required here: {why}");
    eprintln!("skipped: {why}");
}
