//! A command run as a user runs it: what it is given, what it prints, how it ends.

use std::{
    ffi::{OsStr, OsString},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::{Instant, timeout},
};

/// How long a command may take that ends by itself.
const LIMIT: Duration = Duration::from_secs(120);

/// One command that is being put together.
#[derive(Clone, Debug)]
pub struct Call {
    program: OsString,
    args: Vec<OsString>,
    stdin: Vec<u8>,
    environment: Vec<(OsString, OsString)>,
}

/// What came of a command.
#[derive(Clone, Debug)]
pub struct Output {
    /// The command line.
    pub line: String,
    /// How it ended.
    pub status: ExitStatus,
    /// What it printed.
    pub stdout: String,
    /// What it complained of.
    pub stderr: String,
}

/// A command that runs; it ends with this.
#[derive(Debug)]
pub struct Running {
    line: String,
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Lines<BufReader<ChildStdout>>,
    /// The lines that [`Running::line_with`] has passed by.
    passed: String,
}

// === impl Call ===

impl Call {
    /// The command `program`, without arguments.
    pub fn new(program: impl Into<OsString>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            stdin: Vec::new(),
            environment: Vec::new(),
        }
    }

    /// Adds words that are separated by white space, without quotes.
    #[must_use]
    pub fn words(mut self, words: &str) -> Self {
        self.args
            .extend(words.split_whitespace().map(OsString::from));
        self
    }

    /// Adds one word as it is.
    #[must_use]
    pub fn arg(mut self, word: impl AsRef<OsStr>) -> Self {
        self.args.push(word.as_ref().to_owned());
        self
    }

    /// Sets a variable of its environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.environment
            .push((name.into(), value.as_ref().to_owned()));
        self
    }

    /// Gives it this on standard input, and then the end.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// Runs the command under a terminal of its own, made by script(1). What comes out of it has
    /// standard output and standard error in one, with CR LF.
    #[must_use]
    pub fn in_terminal(self) -> Self {
        let words: Vec<String> = std::iter::once(self.program.clone())
            .chain(self.args.iter().cloned())
            .map(|word| format!("'{}'", word.into_string().unwrap().replace('\'', r"'\''")))
            .collect();
        let script = ["--quiet", "--return", "--flush", "--command"];
        let mut args: Vec<OsString> = script.iter().map(OsString::from).collect();
        args.extend([words.join(" ").into(), "/dev/null".into()]);
        Self {
            program: "script".into(),
            args,
            ..self
        }
    }

    /// Runs it to its end.
    pub async fn output(self) -> Output {
        let stdin = self.stdin.clone();
        let mut running = self.start();
        if !stdin.is_empty() {
            running.write(&stdin).await;
        }
        running.close_stdin();
        running.finish().await
    }

    /// Runs it; panics with what it said unless it succeeds. Returns what it printed.
    pub async fn ok(self) -> String {
        let output = self.output().await;
        assert!(output.status.success(), "{output:#?}");
        output.stdout
    }

    /// Runs it; panics unless it fails. Returns what it complained of.
    pub async fn fails(self) -> String {
        let output = self.output().await;
        assert!(!output.status.success(), "{output:#?}");
        output.stderr
    }

    /// Starts it, its standard input open. What [`Call::stdin`] was given is not written.
    pub fn start(self) -> Running {
        let line = std::iter::once(&self.program)
            .chain(&self.args)
            .map(|word| word.to_string_lossy())
            .collect::<Vec<_>>()
            .join(" ");
        let mut child = Command::new(&self.program)
            .args(&self.args)
            .envs(self.environment)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{line}: {error}"));
        let stdout = BufReader::new(child.stdout.take().unwrap()).lines();
        Running {
            stdin: child.stdin.take(),
            line,
            child,
            stdout,
            passed: String::new(),
        }
    }
}

// === impl Running ===

impl Running {
    /// Writes to its standard input. A command that has ended does not mind.
    pub async fn write(&mut self, bytes: &[u8]) {
        if let Some(stdin) = &mut self.stdin
            && stdin.write_all(bytes).await.is_ok()
        {
            stdin.flush().await.unwrap_or_default();
        }
    }

    /// Ends its standard input.
    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// The next line that it prints. Panics if none comes within `limit`, or ever.
    pub async fn line(&mut self, limit: Duration) -> String {
        match timeout(limit, self.stdout.next_line()).await {
            Ok(Ok(Some(line))) => line,
            Ok(_) => {
                let said = self.complaints().await;
                panic!("{} has ended: {said}", self.line)
            }
            Err(_) => panic!(
                "{}: nothing more in time, after {:?}",
                self.line, self.passed
            ),
        }
    }

    /// The next line that contains `wanted`. Panics if it does not come within `limit`.
    pub async fn line_with(&mut self, limit: Duration, wanted: &str) -> String {
        let end = Instant::now() + limit;
        loop {
            let line = self
                .line(end.saturating_duration_since(Instant::now()))
                .await;
            if line.contains(wanted) {
                return line;
            }
            self.passed.push_str(&line);
            self.passed.push('\n');
        }
    }

    /// Reads on to its end. Panics if that takes too long.
    pub async fn finish(mut self) -> Output {
        let mut stderr = self.child.stderr.take().unwrap();
        let mut stdout = self.stdout.into_inner();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let ended = timeout(LIMIT, async {
            let (out, err, status) = tokio::join!(
                stdout.read_to_end(&mut out),
                stderr.read_to_end(&mut err),
                self.child.wait()
            );
            (out.unwrap(), err.unwrap(), status.unwrap())
        });
        let line = self.line;
        let Ok((_, _, status)) = ended.await else {
            panic!("{line}: not at its end after {LIMIT:?}");
        };
        Output {
            line,
            status,
            stdout: String::from_utf8_lossy(&out).into_owned(),
            stderr: String::from_utf8_lossy(&err).into_owned(),
        }
    }

    /// Kills it and waits until it is gone.
    pub async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// Its number.
    pub fn pid(&self) -> u32 {
        self.child.id().unwrap()
    }

    /// What it has printed and complained of, once it has ended.
    async fn complaints(&mut self) -> String {
        let mut text = std::mem::take(&mut self.passed);
        if let Some(stderr) = &mut self.child.stderr {
            stderr.read_to_string(&mut text).await.unwrap_or_default();
        }
        text
    }
}
