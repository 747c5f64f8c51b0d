//! Asks a node whether it wants requests.

use std::time::Duration;

use tokio::time::timeout;

pub use crate::http::HealthError;
use crate::http::ask_health;

/// The word of a node that answers 200 within a time. `url` is that of its `/readyz`, over http.
///
/// # Errors
/// [`HealthError::Url`] where the URL can't be asked; else why there is no such answer.
pub async fn ask(url: &str, within: Duration) -> Result<String, HealthError> {
    let answer = timeout(within, ask_health(url)).await;
    answer.unwrap_or_else(|_| Err(HealthError::Failed(format!("no answer within {} s", within.as_secs()))))
}
