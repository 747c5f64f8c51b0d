//! The only writer of stdout and stderr.

use std::io::{self, ErrorKind, Write};

use super::CliError;

/// Where answers and diagnostics go.
pub struct Output {
    answers: Box<dyn Write>,
    diagnostics: Box<dyn Write>,
}

impl Output {
    /// Stdout (flushed at each line's end) and stderr of this process.
    pub fn of_process() -> Self {
        Self::new(Box::new(io::stdout()), Box::new(io::stderr()))
    }

    /// Answers and diagnostics to these writers.
    pub fn new(answers: Box<dyn Write>, diagnostics: Box<dyn Write>) -> Self {
        Self { answers, diagnostics }
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
        match self.answers.write_all(bytes).and_then(|()| self.answers.flush()) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(CliError::Closed),
            Err(error) => Err(CliError::about("stdout", error)),
        }
    }

    /// Writes `signet: …` to stderr. Where that fails, there is nobody left to tell.
    pub fn diagnose(&mut self, message: &str) {
        let _ = self.diagnostics.write_all(format!("signet: {message}\n").as_bytes());
    }
}

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
