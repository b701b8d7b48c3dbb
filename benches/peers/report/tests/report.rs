//! What is made of rows: two systems, one of which is a peer that takes less.

use switchback_peers_report::first::among_stackful;
use switchback_peers_report::reasons::Reasons;
use switchback_peers_report::result::{Goal, Machine, Remark, Results, Row};
use switchback_peers_report::table::figure;
use switchback_peers_report::{compare, page, readme};

fn row(workload: &str, system: &str, median: f64, ratio: f64) -> Row {
    Row {
        workload: workload.to_owned(),
        group: "switch".to_owned(),
        what: "an item <of> a kind".to_owned(),
        system: system.to_owned(),
        version: format!("{system} 1.0"),
        unit: "ns".to_owned(),
        trip: "one way".to_owned(),
        live: None,
        minimum: median * 0.9,
        median,
        quartiles: [median * 0.95, median * 1.1],
        n: 1_000,
        batches: 5,
        ratio: Some([ratio, ratio * 0.98, ratio * 1.02]),
        again: None,
        goal: None,
        instructions: None,
        machine: "a machine".to_owned(),
    }
}

/// One row, of which the goal is missed.
fn lost(workload: &str) -> Results {
    let mut ours = row(workload, "switchback", 4.0, 1.0);
    ours.goal = Some(Goal { peer: "corosensei".to_owned(), at_most: 1.15, is: Some(2.0) });
    Results {
        machine: Machine {
            cpu: "a CPU".to_owned(),
            cores: 2,
            kernel: "a kernel".to_owned(),
            mitigations: vec!["some: \"quoted\"".to_owned()],
            rustc: "rustc 1.95.0 (of a day)".to_owned(),
            load: "0.1".to_owned(),
            pinned: None,
        },
        rows: vec![ours, row(workload, "corosensei", 2.0, 0.5)],
        remarks: vec![Remark { system: "go".to_owned(), text: "skipped: there is none".to_owned() }],
    }
}

const WITHOUT: &str = "What it is.\n<!-- reasons -->\n";

fn reasons(text: &str) -> Reasons {
    Reasons::parse(&format!("{WITHOUT}\n{text}"))
}

#[test]
fn json_is_read_as_it_was_written() {
    let mut results = lost("send");
    results.rows[1].instructions = Some(39.005);
    let text = results.to_json();
    let again = Results::from_json(&text).expect("it is JSON");
    assert_eq!(again.to_json(), text);
    assert_eq!(again.rows[1].instructions, Some(39.005));
    // What was written before instructions were counted.
    let older = text.replace("\"instructions\":39.005,", "");
    assert_ne!(older, text);
    assert!(Results::from_json(&older).is_ok_and(|results| results.rows[1].instructions.is_none()));
    assert!(Results::from_json("{\"rows\":").is_err());
}

#[test]
fn two_runs_are_one_if_no_row_is_in_both() {
    let mut second = lost("throw");
    second.machine.load = "0.2".to_owned();
    let both = lost("send").and(second).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((both.rows.len(), both.remarks.len(), both.machine.load.as_str()), (4, 1, "0.1; 0.2"));
    assert!(lost("send").and(lost("send")).is_err_and(|error| error.contains("send")));
    let mut elsewhere = lost("throw");
    elsewhere.machine.cpu = "another CPU".to_owned();
    assert!(lost("send").and(elsewhere).is_err_and(|error| error.contains("another CPU")));
}

#[test]
fn a_lost_row_stands_with_its_reason() {
    let results = lost("value-64B");
    let told = |text: &str| page::page(&results, &reasons(text));
    let unknown = "No reason is known yet";
    let bare = told("");
    assert!(bare.contains(unknown) && bare.contains("missed"));
    // By its name, by what it begins with, by its group, and beside the peer.
    for heading in ["value-64B", "roundtrip-0, value-64B", "value", "switch", "value-64B of corosensei"] {
        let page = told(&format!("## {heading}\n\nTwo `mov`s <more>.\n"));
        assert!(page.contains("Two <code>mov</code>s &lt;more&gt;."), "{heading}");
        assert!(!page.contains(unknown), "{heading}");
    }
    for heading in ["value-64", "value-64B of go", "val"] {
        assert!(told(&format!("## {heading}\n\nTwo.\n")).contains(unknown), "{heading}");
    }
    // A heading without a text is no reason.
    assert!(told("## value-64B\n").contains(unknown));
}

#[test]
fn a_reason_for_nothing_is_found() {
    let results = lost("value-64B");
    assert!(reasons("## value of corosensei\n\nText.").strangers(&results).is_empty());
    assert_eq!(reasons("## value, sned\n\nText.").strangers(&results), ["sned"]);
    assert_eq!(reasons("## value of go\n\nText.").strangers(&results), ["value of go"]);
}

#[test]
fn what_a_figure_is_of_stands_beside_it() {
    let mut results = lost("sweep-1-robin");
    for row in &mut results.rows {
        (row.live, row.unit) = (Some(1_000), "ns CPU".to_owned());
    }
    let told = |results: &Results| page::page(results, &reasons(""));
    assert!(told(&results).contains("kind; one way, ns of CPU time"));
    assert!(told(&results).contains("<td>ns CPU<td>one way<td"));
    // What takes no memory has no ratio, and none that is not a number.
    results.rows[1].ratio = Some([0.0, 0.0, 0.0]);
    assert!(!told(&results).contains("NaN"));
}

#[test]
fn the_page_needs_no_network() {
    let page = page::page(&lost("send"), &reasons(""));
    for word in ["http:", "https:", "<script", "<link", "@import", "url("] {
        assert!(!page.contains(word), "{word}");
    }
    assert!(page.contains("an item &lt;of&gt; a kind") && page.contains("some: &quot;quoted&quot;"));
}

#[test]
fn readme_has_the_figures_between_its_marks() {
    let marks = ["machine", "coroutines", "tasks", "summary"]
        .map(|name| format!("<!-- benches/peers: {name} -->\nold\n<!-- /benches/peers -->\n"));
    let page = format!("# Title\n{}\nThe end.\n", marks.concat());
    let renewed = readme::renew(&page, &lost("send")).expect("all marks are there");
    assert!(renewed.starts_with("# Title\n") && renewed.ends_with("\nThe end.\n") && !renewed.contains("old"));
    assert!(renewed.contains("| 4.00 | 2.00 | 2.00 (1.96–2.04) | 1.15, **missed** |"), "{renewed}");
    assert!(renewed.contains("In 1 of these 1 rows some peer takes less"), "{renewed}");
    assert_eq!(readme::renew(&renewed, &lost("send")).as_ref(), Ok(&renewed));
    assert!(readme::renew(&page.replace("peers: tasks", "peers: task"), &lost("send")).is_err());
}

#[test]
fn runs_are_compared_by_their_ratios() {
    let mut other = lost("send");
    other.rows[1].ratio = Some([0.6, 0.6, 0.6]);
    let text = compare::text(&lost("send"), &other);
    assert!(text.contains("ratios in both: 1; 0 agree") && text.contains("send, corosensei: 0.50 and 0.60"), "{text}");
    let same = compare::text(&lost("send"), &lost("send"));
    assert!(same.contains("ratios in both: 1; 1 agree"), "{same}");
    assert_eq!(compare::text(&lost("send"), &lost("throw")), "no row is in both\n");
}

#[test]
fn another_run_is_part_of_the_noise() {
    let mut results = lost("send");
    assert!(page::page(&results, &reasons("")).contains("may be further away"));
    let mut other = lost("send");
    other.rows[1].ratio = Some([0.6, 0.6, 0.6]);
    results.again(&other).unwrap_or_else(|error| panic!("{error}"));
    // A tenth of 0.5 is a fifth; the quartiles have a fiftieth.
    assert_eq!(results.rows[1].spread().map(|spread| (spread * 100.0).round()), Some(20.0));
    let page = page::page(&results, &reasons(""));
    assert!(page.contains("of 1 ratios 0 were within that again") && page.contains("send: corosensei"), "{page}");
    assert!(Results::from_json(&results.to_json()).is_ok_and(|results| results.rows[1].again == Some(0.6)));
    // One that is as near as the batches of one run are.
    other.rows[1].ratio = Some([0.505, 0.5, 0.51]);
    results.again(&other).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(results.rows[1].spread().map(|spread| (spread * 100.0).round()), Some(2.0));
    other.machine.cpu = "another CPU".to_owned();
    assert!(results.again(&other).is_err_and(|error| error.contains("another CPU")));
}

#[test]
fn who_is_first_among_stackful_systems_is_told() {
    let of = |results: &Results| {
        let first = among_stackful(results, |_| true);
        (first.rows, first.near(), first.allowed.len(), first.behind.len())
    };
    // Twice as much as corosensei takes, and a goal that is missed.
    let mut results = lost("send");
    assert_eq!(of(&results), (1, 0, 0, 1));
    // A goal that allows as much.
    results.rows[0].goal = Some(Goal { peer: "corosensei".to_owned(), at_most: 2.5, is: Some(2.0) });
    assert_eq!(of(&results), (1, 0, 1, 0));
    // But not of another one, which takes more than corosensei and less than ours.
    results.rows.push(row("send", "go", 3.0, 0.75));
    assert_eq!(of(&results), (1, 0, 0, 1));
    let page = page::page(&results, &reasons(""));
    assert!(page.contains("send (1.33 of go)"), "{page}");
    // Near enough.
    results.rows.truncate(2);
    results.rows[1].ratio = Some([0.96, 0.9, 1.1]);
    assert_eq!(of(&results), (1, 1, 0, 0));
    // Without a stack, or no peer at all.
    for system in ["stackless", "tokio", "aligned", "hand"] {
        system.clone_into(&mut results.rows[1].system);
        assert_eq!(of(&results), (0, 0, 0, 0), "{system}");
    }
}

#[test]
fn what_is_no_peer_is_not_lost_to() {
    let mut results = lost("sweep-1-robin");
    results.rows[0].goal = None;
    for (system, is_lost) in [("corosensei", true), ("stackless", true), ("hand", false), ("aligned", false)] {
        system.clone_into(&mut results.rows[1].system);
        let page = page::page(&results, &reasons(""));
        assert_eq!(page.contains("why-sweep-1-robin"), is_lost, "{system}");
    }
}

#[test]
fn figures_have_digits_that_say_something() {
    let cases = [
        (0.0, "0"),
        (0.00015, "0.00015"),
        (0.0166, "0.017"),
        (0.5, "0.50"),
        (0.9969, "0.997"),
        (1.0, "1.00"),
        (12.34, "12.3"),
        (18_582.4, "18,582"),
    ];
    for (value, text) in cases {
        assert_eq!(figure(value), text);
    }
}
