//! What a run leaves behind when it is killed: nothing.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::Duration,
};

const XTASK: &str = env!("CARGO_BIN_EXE_xtask");

/// Polls for five seconds at most.
#[track_caller]
fn eventually(what: &str, done: impl Fn() -> bool) {
    let wait = || {
        sleep(Duration::from_millis(20));
        false
    };
    assert!(
        (0..250).any(|_| done() || wait()),
        "not in five seconds: {what}"
    );
}

/// Whether a process still runs; one that nobody has waited for yet does not.
fn runs(pid: &str) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
        !stat
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .starts_with(" Z")
    })
}

fn first_line(child: &mut Child) -> String {
    let out = child.stdout.as_mut().expect("the test pipes it");
    let mut line = String::new();
    BufReader::new(out)
        .read_line(&mut line)
        .expect("the script prints text");
    line.trim().to_owned()
}

#[test]
fn a_child_dies_with_a_parent_that_is_killed() {
    let script = format!("{XTASK} __child $$ sleep 60 & echo $!; wait");
    let mut parent = Command::new("sh")
        .args(["-c", &script])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let child = first_line(&mut parent);
    let program = format!("/proc/{child}/comm");
    eventually("the child is its program", || {
        fs::read_to_string(&program).is_ok_and(|name| name.trim() == "sleep")
    });
    parent.kill().unwrap();
    parent.wait().unwrap();
    eventually("the child is dead", || !runs(&child));
}

#[test]
fn a_child_of_a_dead_parent_does_not_start() {
    let out = Command::new(XTASK)
        .args(["__child", "1", "echo", "started"])
        .output()
        .unwrap();
    assert!(!out.status.success());
    assert!(out.stdout.is_empty());
}

#[test]
fn the_guard_ends_what_is_marked_and_removes_what_it_was_told() {
    let dir = tempfile::tempdir().unwrap();
    let (doomed, kept) = (dir.path().join("doomed"), dir.path().join("kept"));
    for dir in [&doomed, &kept] {
        fs::create_dir_all(dir.join("below")).unwrap();
        fs::write(dir.join("below/file"), "").unwrap();
    }
    // It ignores the polite signal, as a hanging program would; if nobody ends it, it ends itself.
    let script = "trap '' TERM; echo ready; for _ in $(seq 60); do sleep 1; done";
    let mut marked = Command::new("sh")
        .args(["-c", script])
        .env("FLEETGATE_RUN", "leaves-nothing")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    first_line(&mut marked);
    let mut guard = Command::new(XTASK)
        .args(["__guard", "leaves-nothing"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = guard.stdin.take().unwrap();
    writeln!(
        pipe,
        "directory {}\ncontents {}",
        doomed.display(),
        kept.display()
    )
    .unwrap();
    assert!(doomed.exists(), "nothing is removed while the pipe is open");
    drop(pipe);
    assert!(guard.wait().unwrap().success());
    eventually("the marked process is dead", || {
        !runs(&marked.id().to_string())
    });
    assert!(!marked.wait().unwrap().success());
    assert!(!doomed.exists());
    assert_eq!(fs::read_dir(&kept).unwrap().count(), 0);
}
