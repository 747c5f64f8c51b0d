//! Errors of stores, and one line of text for an error with its causes.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

type Cause = Box<dyn Error + Send + Sync>;

/// Why a store couldn't answer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It can't be reached or is overloaded; trying again later may help.
    #[error("the store is unavailable: {0}")]
    Unavailable(#[source] Cause),
    /// It answers, and refuses the operation. It would do so again: only an operator can help.
    #[error("the store refuses the operation: {0}")]
    Refused(#[source] Cause),
    /// What it holds can't be understood.
    #[error("the store holds something that can't be read: {0}")]
    Corrupt(#[source] Cause),
}

impl StoreError {
    /// A store that can't be reached.
    pub fn unavailable(source: impl Into<Cause>) -> Self {
        Self::Unavailable(source.into())
    }

    /// An operation that the store won't do.
    pub fn refused(source: impl Into<Cause>) -> Self {
        Self::Refused(source.into())
    }

    /// A record that can't be read.
    pub fn corrupt(source: impl Into<Cause>) -> Self {
        Self::Corrupt(source.into())
    }

    /// A copy of an error for each caller that waited for the same answer.
    #[must_use]
    pub fn shared(error: Arc<Self>) -> Self {
        match &*error {
            Self::Unavailable(_) => Self::unavailable(Shared(error)),
            Self::Refused(_) => Self::refused(Shared(error)),
            Self::Corrupt(_) => Self::corrupt(Shared(error)),
        }
    }

    fn reason(&self) -> &(dyn Error + 'static) {
        match self {
            Self::Unavailable(cause) | Self::Refused(cause) | Self::Corrupt(cause) => cause.as_ref(),
        }
    }
}

/// The cause of an error that several callers get.
#[derive(Debug)]
struct Shared(Arc<StoreError>);

impl fmt::Display for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.0.reason(), f)
    }
}

impl Error for Shared {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.reason().source()
    }
}

/// Formats an error and its causes as one line. A cause whose text is in the line already is left out, because many
/// errors include their cause in their own message.
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = one_line(error);
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = one_line(error);
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = error.source();
    }
    text
}

fn one_line(error: &dyn Error) -> String {
    error.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the look-up failed")]
    struct Outer(#[source] StoreError);

    #[test]
    fn each_cause_is_named_once() {
        let late = || StoreError::unavailable("no answer\n within 5 s");
        assert_eq!(with_causes(&late()), "the store is unavailable: no answer within 5 s");
        let told = with_causes(&Outer(late()));
        assert_eq!(told, "the look-up failed: the store is unavailable: no answer within 5 s");
    }

    #[test]
    fn copies_of_an_error_read_like_the_error() {
        for error in [StoreError::unavailable("x"), StoreError::refused("x"), StoreError::corrupt("x")] {
            let told = with_causes(&error);
            let first = StoreError::shared(Arc::new(error));
            assert_eq!(with_causes(&first), told);
            assert_eq!(with_causes(&StoreError::shared(Arc::new(first))), told);
        }
    }
}
