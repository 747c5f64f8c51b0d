//! Log lines, on stderr.
//!
//! The settings say which of Signet's own lines are written. What others say (HTTP, TLS, the AWS SDK, the driver of
//! MongoDB) is written from `warn` on alone, whatever the settings ask for: below, some of them write headers,
//! requests and commands as they are, and with them tokens, signatures and secrets.

use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::filter::{FilterExt, LevelFilter, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Filter, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt};

use super::traces::Traces;
use crate::config::{LogFormat, LogSettings};

/// Sends log lines to stderr for the rest of the process, and spans to where traces go. A panic is a log line too.
///
/// # Errors
/// Where the level can't be read, or lines are sent somewhere already.
pub fn start(settings: &LogSettings, traces: &Traces) -> Result<(), String> {
    subscriber(settings, traces, std::io::stderr)?.try_init().map_err(|error| error.to_string())?;
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        tracing::error!(place, "a defect: {}", panic.payload_as_str().unwrap_or("panicked"));
    }));
    Ok(())
}

fn subscriber<W>(
    settings: &LogSettings,
    traces: &Traces,
    writer: W,
) -> Result<impl Subscriber + Send + Sync + use<W>, String>
where
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    let level = EnvFilter::try_new(&settings.level)
        .map_err(|error| format!("log.level is {:?}: {error}", settings.level))?;
    let lines = fmt::layer().with_writer(writer);
    let lines = match settings.format {
        LogFormat::Json => {
            lines.json().flatten_event(true).with_current_span(true).with_span_list(false).boxed()
        }
        LogFormat::Pretty => lines.with_target(false).boxed(),
    };
    Ok(Registry::default().with(traces.layer()).with(lines.with_filter(filter(level))))
}

/// Which lines are written: those that the level asks for and that may be. The spans of requests are there whatever
/// the level is: each line of a request names it.
fn filter<S: Subscriber>(level: EnvFilter) -> impl Filter<S> {
    let request =
        filter_fn(|metadata| metadata.is_span() && metadata.name() == "request" && is_own(metadata));
    let may =
        filter_fn(|metadata| metadata.is_event() && (is_own(metadata) || *metadata.level() <= Level::WARN));
    let (request, may) =
        (request.with_max_level_hint(LevelFilter::ERROR), may.with_max_level_hint(LevelFilter::TRACE));
    FilterExt::<S>::or(FilterExt::<S>::and(level, may), request)
}

/// Whether this is said by Signet itself.
pub(super) fn is_own(metadata: &Metadata<'_>) -> bool {
    let target = metadata.target();
    target == "signet" || target.starts_with("signet::")
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use tracing::subscriber::with_default;

    use super::*;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn written(level: &str, format: LogFormat, say: impl FnOnce()) -> String {
        let page = Page::default();
        let settings = LogSettings { level: level.into(), format };
        let pages = page.clone();
        let subscriber = subscriber(&settings, &Traces::new(None), move || pages.clone()).unwrap();
        with_default(subscriber, say);
        let bytes = page.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_line_names_its_request_whatever_the_level_is() {
        for format in [LogFormat::Json, LogFormat::Pretty] {
            for level in ["error", "info", "trace", "signet::telemetry::logging=error", "off,signet=error"] {
                let log = written(level, format, || {
                    let _within =
                        tracing::error_span!(target: "signet::http", "request", id = "r-1").entered();
                    let _store = tracing::debug_span!("store").entered();
                    tracing::error!("it went wrong");
                });
                assert!(log.contains("r-1") && log.contains("it went wrong"), "{level}: {log}");
            }
        }
        assert_eq!(written("off", LogFormat::Json, || tracing::error!("it went wrong")), "");
    }

    #[test]
    fn what_others_say_in_detail_is_not_written_whatever_is_asked_for() {
        for level in
            ["trace", "hyper=trace,h2=trace,aws_smithy_runtime=trace", "info,signed=trace,[send]=trace"]
        {
            let log = written(level, LogFormat::Json, || {
                let _span =
                    tracing::error_span!(target: "hyper::proto", "send", header = "a-secret").entered();
                tracing::trace!(target: "hyper::proto::h1", "a-secret");
                tracing::debug!(target: "h2::codec", "a-secret");
                tracing::info!(target: "aws_smithy_runtime::client", "a-secret");
                tracing::info!(target: "signed", "a-secret");
                tracing::warn!(target: "hyper::proto", "it is odd");
            });
            assert!(!log.contains("a-secret"), "{level}: {log}");
        }
        let log = written("trace", LogFormat::Json, || tracing::warn!(target: "hyper::proto", "it is odd"));
        assert!(log.contains("it is odd"), "{log}");
    }

    #[test]
    fn a_level_that_is_none_is_refused() {
        let settings = LogSettings { level: "signet=loud".into(), format: LogFormat::Json };
        let error = subscriber(&settings, &Traces::new(None), std::io::sink).err().unwrap();
        assert!(error.contains("log.level is \"signet=loud\""), "{error}");
    }
}
