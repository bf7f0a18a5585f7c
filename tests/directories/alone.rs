// SPDX-License-Identifier: GPL-3.0-or-later
//! The commands without a server.

use crate::house::House;
use std::fmt::Write as _;

#[test]
fn before_the_first_sync_and_after_it() {
    let house = House::new();
    house.says(
        "",
        0,
        &[
            "staff",
            "none known yet",
            "fixed",
            "read with the configuration",
            "2 addresses",
            "look at manual, staff",
        ],
    );
    let staff = house.standing("staff");
    assert!(staff["addresses"].is_null() && staff["age"].is_null() && staff["synced"] == true, "{staff:#}");
    house.says("show staff", 2, &["was never synced", "postern directories sync staff"]);
    house.says("lookup user1@example.com", 1, &["exists unknown"]);
    house.says("diff staff", 2, &["nothing of `staff` is known yet", "would bring 200 addresses"]);
    house.says("accept staff", 2, &["nothing is pending"]);
    house.says("rollback staff", 2, &["nothing was ever synced"]);

    house.says("sync", 0, &["staff 200 addresses, for the first time (snapshot 1)"]);
    house.says(
        "",
        0,
        &["200 addresses", "domains 1 with every address in them", "patterns 1", "groups 3", "confirmed"],
    );
    let staff = house.standing("staff");
    assert!(staff["addresses"] == 200 && staff["age"].is_u64() && staff["overdue"] == false, "{staff:#}");
    assert!(staff["state"]["in_force"]["serial"] == 1 && staff["state"].get("cookie").is_none(), "{staff:#}");
    house.says("sync staff", 0, &["200 addresses, nothing has changed"]);
    house.says("sync staff --full", 0, &["200 addresses, nothing has changed"]);
    let done = house.json("sync staff --json", 0);
    assert!(done[0]["outcome"] == "unchanged" && done[0]["total"] == 200, "{done:#}");
}

#[test]
fn who_is_in_it() {
    let house = House::new();
    house.says("sync", 0, &[]);
    house.says(
        "show staff",
        0,
        &["user7@example.com u7@example.com", "@whole.example", "ticket-*@example.com"],
    );
    let found = house.says("show staff USER7", 0, &["user7@example.com", "user70@example.com"]);
    assert_eq!(found.lines().count(), 11, "{found}");
    let found = house.says("show staff user7@*", 0, &["user7@example.com"]);
    assert_eq!(found.lines().count(), 1, "{found}");
    house.says("show staff nobody", 1, &["nothing like that is in it"]);
    house.says("show staff --limit 5", 0, &["the first 5 are shown; --limit shows more"]);
    house.says("show staff --groups", 0, &["Team 0 68 addresses", "Team 2 66 addresses"]);
    house.says("show fixed", 0, &["fix@example.com", "line 1"]);
    house.says("show fixed --groups", 2, &["`fixed` is a list"]);
    let found = house.json("show staff user7@* --json", 0);
    assert_eq!(found[0]["addresses"][1], "u7@example.com", "{found:#}");
}

#[test]
fn by_what_an_address_is_known() {
    let house = House::new();
    house.says("sync", 0, &[]);
    for (address, code, what) in [
        (
            "user7@example.com",
            0,
            &["exists yes", "staff", "entry recipient user7@example.com u7@example.com", "groups Team 1"][..],
        ),
        ("U7+x@Example.com", 0, &["exists yes", "entry recipient user7@example.com"]),
        ("user7@example.org", 0, &["exists yes", "alias", "entry recipient user7@example.com"]),
        ("ticket-1@example.com", 0, &["exists yes", "as ticket-*"]),
        ("fix@example.com", 0, &["exists yes", "fixed"]),
        ("usr7@example.com", 1, &["exists no", "like it", "user7@example.com"]),
        ("fixx@example.com", 1, &["exists no", "like it", "fix@example.com"]),
        ("postmaster@example.com", 0, &["exists yes"]),
        ("who@elsewhere.example", 1, &["exists not asked", "the domain is not listed"]),
        ("who@manual.example", 1, &["exists unknown"]),
    ] {
        house.says(&format!("lookup {address}"), code, what);
    }
    house.says("lookup user7@example.com nobody@example.com", 1, &["exists yes", "exists no"]);
    house.says("lookup nonsense@", 2, &["is no address"]);
    let found = house.json("lookup u7+x@example.com --json", 0);
    assert!(
        found[0]["exists"] == "yes" && found[0]["entry"]["addresses"][0] == "user7@example.com",
        "{found:#}"
    );
}

#[test]
fn a_shrink_waits_until_it_is_accepted_and_can_be_taken_back() {
    let house = House::new();
    house.says("sync", 0, &[]);
    house.says("diff staff", 0, &["nothing would change"]);
    house.export(0..105);
    house.says("diff staff", 0, &["+ user104@example.com", "0 would go, 10 would come"]);
    house.says("sync", 0, &["210 addresses, 10 new, 0 gone (snapshot 2)"]);
    house.export(5..50);
    house.says("diff staff", 1, &["held:", "- user0@example.com", "120 would go"]);
    house.says("", 0, &["snapshot 2"]);
    house.says("sync", 1, &["held:", "directories diff staff", "directories accept staff"]);
    house.says("sync", 1, &["held:"]);
    house.says("diff staff --limit 3", 1, &["- 117 more addresses", "120 would go, 0 would come"]);
    let diff = house.json("diff staff --json", 1);
    assert!(diff["removed"]["count"] == 120 && diff["held"][0].is_string(), "{diff:#}");
    house.says("", 0, &["held", "look at manual, staff"]);
    house.says("lookup user0@example.com", 0, &["exists yes"]);
    let done = house.json("sync staff --json", 1);
    assert!(done[0]["outcome"] == "held" && done[0]["why"][0].is_string(), "{done:#}");

    house.says("accept staff", 0, &["staff: accepted snapshot 3, 90 addresses"]);
    // They stay for the grace.
    house.says("lookup user0@example.com", 0, &["exists yes", "leaving", "removal_grace"]);
    house.says("show staff", 0, &["leaving user0@example.com"]);
    house.says("rollback staff", 0, &["staff: rolled back snapshot 2, 210 addresses"]);
    house.says("", 0, &["pinned", "every change waits"]);
    house.says("lookup user0@example.com", 0, &["exists yes"]);
    house.says("sync", 1, &["held:"]);
    house.says("accept staff --now", 0, &["accepted"]);
    house.says("lookup user0@example.com", 1, &["exists no"]);
    house.says("rollback staff --to 1", 0, &["rolled back snapshot 1, 200 addresses"]);
    house.says("rollback staff --to 77", 2, &["there is no snapshot 77"]);
}

#[test]
fn what_cannot_be_read_changes_nothing() {
    let house = House::new();
    house.says("sync", 0, &[]);
    for (table, why) in [
        ("mail,others\nuser0@example.com,x\n", "staff.csv"),
        ("mail,aliases,teams\nuser0@example.com,\"x\n", "staff.csv"),
        ("mail,aliases,teams\n", "no recipient"),
    ] {
        house.dir.write("staff.csv", table);
        house.says("sync", 1, &[why]);
        house.says("diff staff", if why == "no recipient" { 1 } else { 2 }, &[]);
        house.says("", 0, &["200 addresses"]);
    }
    std::fs::remove_file(house.dir.join("staff.csv")).unwrap();
    house.says("sync", 1, &["staff.csv", "what was in force stays"]);
    let done = house.json("sync --json", 1);
    assert_eq!(done[0]["outcome"], "failed", "{done:#}");
    house.says("lookup user7@example.com", 0, &["exists yes"]);
    house.says("", 0, &["trouble", "times in a row"]);
}

#[test]
fn a_file_that_somebody_brings() {
    let house = House::new();
    let people = |many: usize| {
        let mut table = "Mail\n".to_owned();
        (0..many).for_each(|n| writeln!(table, "m{n}@manual.example").unwrap());
        house.dir.write("people.csv", &table);
    };
    people(100);
    house.says("sync manual", 2, &["nobody to ask", "postern directories import manual"]);
    house.says("import manual no-such.csv", 1, &["no-such.csv", "nothing is known yet"]);
    house.says("import manual people.csv", 0, &["100 addresses, for the first time"]);
    house.says("", 0, &["next when it is imported again"]);
    house.dir.write("people.csv", "Name\nAnn\n");
    house.says("import manual people.csv", 1, &["people.csv", "what was in force stays"]);
    people(50);
    house.says("import manual people.csv", 1, &["held:", "directories accept manual"]);
    house.says("lookup m77@manual.example", 0, &["exists yes"]);
    house.says("diff manual", 1, &["- m77@manual.example"]);
    house.says("accept manual --now", 0, &["50 addresses"]);
    house.says("lookup m77@manual.example", 1, &["exists no"]);
    house.says("import staff people.csv", 2, &["`staff` has a source of its own"]);
    house.says("import fixed people.csv", 2, &["`fixed` has a source of its own"]);
}

#[test]
fn names_that_are_not_defined() {
    let house = House::new();
    for arguments in
        ["show nobody", "diff nobody", "sync nobody", "accept nobody", "import nobody x", "rollback nobody"]
    {
        house.says(arguments, 2, &["there is no directory `nobody`; defined: fixed, manual, staff"]);
    }
    for arguments in ["diff fixed", "sync fixed", "accept fixed", "rollback fixed"] {
        house.says(arguments, 2, &["`fixed` is a list that is read with the configuration"]);
    }
    house.says("learned", 0, &["nothing was learned"]);
    house.says("learned --approve zoe@learn.example", 1, &["zoe@learn.example was not learned"]);
    house.says("--json sync", 2, &["--json"]);
}
