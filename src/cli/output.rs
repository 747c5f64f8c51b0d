//! The only writer of stdout and stderr.

use std::io::{self, ErrorKind, IsTerminal, Write};

use super::CliError;

/// Where answers and diagnostics go.
pub struct Output {
    answers: Box<dyn Write>,
    diagnostics: Box<dyn Write>,
    /// Whether somebody watches the diagnostics.
    watched: bool,
    /// Whether a status stands there.
    status: bool,
    /// Whether the last answer hasn't ended its line.
    open_line: bool,
}

impl Output {
    /// Stdout (flushed at each line's end) and stderr of this process.
    pub fn of_process() -> Self {
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let watched = io::stderr().is_terminal() && !dumb;
        Self { watched, ..Self::new(Box::new(io::stdout()), Box::new(io::stderr())) }
    }

    /// Answers and diagnostics to these writers, which are no terminals.
    pub fn new(answers: Box<dyn Write>, diagnostics: Box<dyn Write>) -> Self {
        Self { answers, diagnostics, watched: false, status: false, open_line: false }
    }

    /// Writes one line of an answer.
    ///
    /// # Errors
    /// [`CliError::Closed`] where nobody reads any more, [`CliError::Failed`] where writing fails otherwise.
    pub fn line(&mut self, line: &str) -> Result<(), CliError> {
        self.bytes(format!("{line}\n").as_bytes())
    }

    /// Writes a piece of an answer as it is.
    ///
    /// # Errors
    /// As [`Output::line`].
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), CliError> {
        self.end_status();
        self.open_line = bytes.last().map_or(self.open_line, |last| *last != b'\n');
        match self.answers.write_all(bytes).and_then(|()| self.answers.flush()) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(CliError::Closed),
            Err(error) => Err(CliError::about("stdout", error)),
        }
    }

    /// Writes `signet: …` to stderr. Where that fails, there is nobody left to tell.
    pub fn diagnose(&mut self, message: &str) {
        self.end_status();
        let _ = self.diagnostics.write_all(format!("signet: {message}\n").as_bytes());
    }

    /// Shows one line on the terminal of stderr in place of the last status. Nothing where that is no
    /// terminal. Whatever is written next takes it away.
    pub fn status(&mut self, text: &str) {
        if self.watched && !self.open_line {
            // Without line wrap: what the terminal is too narrow for would stay for good.
            let _ = self.diagnostics.write_all(format!("{ERASED}\x1b[?7l{text}\x1b[?7h").as_bytes());
            self.status = true;
        }
    }

    /// Takes the status away.
    pub fn end_status(&mut self) {
        if std::mem::take(&mut self.status) {
            let _ = self.diagnostics.write_all(ERASED.as_bytes());
        }
    }
}

/// The cursor at the beginning of an empty line.
const ERASED: &str = "\r\x1b[2K";

/// Text of others on one line: control characters, which could end the line or steer a terminal, are escaped.
pub fn visible(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
    line
}
