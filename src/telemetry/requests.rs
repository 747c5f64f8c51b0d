//! What is counted of requests: by route, method and status, without a look-up in a map of strings for each.
//!
//! Every series that the description of the API names is there from the start. Others come with their first
//! request, and are bounded: routes that aren't known are one, and so are statuses that Signet doesn't answer.
//! Each thread counts for itself, as in [`super::tally`].

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use prometheus::core::{Collector, Desc};
use prometheus::local::LocalHistogram;
use prometheus::proto::MetricFamily;
use prometheus::{Error, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry};
use serde_json::Value;
use thread_local::ThreadLocal;

use super::family::{Counters, REQUEST_SECONDS};
use super::tally::Tally;
use crate::http::RequestMeter;
use crate::service::ports::Limit;

/// Methods as [`RequestMeter`] has them.
const METHODS: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "OTHER"];
/// Statuses that Signet answers, ascending.
const STATUSES: [u16; 31] = [
    200, 201, 202, 204, 206, 302, 303, 304, 307, 308, 400, 401, 403, 404, 405, 406, 408, 409, 410, 411, 412,
    413, 414, 415, 416, 422, 429, 431, 500, 503, 504,
];
/// The status of all others.
const OTHER: &str = "other";
/// Those that any route may answer, whatever its description says.
const ALWAYS: [u16; 3] = [200, 500, 503];
/// Routes beside those of the description, and the statuses that they begin with.
const OTHERS: [(&str, &str, &[u16]); 9] = [
    ("edge", "GET", &[206, 403, 404]),
    ("/objects/{*path}", "PUT", &[403, 412]),
    ("/objects/{*path}", "GET", &[206, 403, 404]),
    ("/openapi.json", "GET", &[304]),
    ("/docs", "GET", &[]),
    ("/docs/{*file}", "GET", &[304, 404]),
    ("unmatched", "GET", &[404]),
    ("refused", "GET", &[400, 429]),
    (OTHER, "GET", &[404]),
];

/// Counts requests.
pub struct Requests {
    routes: Arc<Routes>,
    limits: Counters<Limit>,
}

/// What is counted, of all routes. The last of them is for what none of the others is.
struct Routes {
    all: Vec<Route>,
    requests: IntCounterVec,
    seconds: HistogramVec,
    threads: ThreadLocal<Counted>,
}

struct Route {
    pattern: String,
    seconds: Histogram,
    /// By method and status.
    series: Box<[OnceLock<IntCounter>]>,
}

/// What one thread has counted since somebody looked.
struct Counted {
    /// By route, method and status.
    requests: Tally,
    /// By route.
    seconds: Box<[Mutex<LocalHistogram>]>,
}

impl Requests {
    /// Registers the families; `description` is the API's, as OpenAPI. `limits` are those of the services too.
    ///
    /// # Errors
    /// Where the names are taken.
    pub(super) fn register(
        registry: &Registry,
        description: &Value,
        limits: Counters<Limit>,
    ) -> Result<Self, Error> {
        let requests = IntCounterVec::new(
            Opts::new("signet_http_requests_total", "Requests answered, by route, method and status."),
            &["route", "method", "status"],
        )?;
        let seconds = HistogramVec::new(
            HistogramOpts::new(
                "signet_http_request_duration_seconds",
                "Time from a request's head to its answer's head, by route.",
            )
            .buckets(REQUEST_SECONDS.to_vec()),
            &["route"],
        )?;
        let described = described(description);
        let others = OTHERS.iter().map(|(route, method, statuses)| (*route, *method, statuses.to_vec()));
        let known: Vec<_> = described.into_iter().chain(others).collect();
        let mut patterns: Vec<&str> = Vec::new();
        for (pattern, ..) in &known {
            if !patterns.contains(pattern) && *pattern != OTHER {
                patterns.push(pattern);
            }
        }
        let route = |pattern: &str| Route {
            pattern: pattern.to_owned(),
            seconds: seconds.with_label_values(&[pattern]),
            series: (0..SERIES).map(|_| OnceLock::new()).collect(),
        };
        let all = patterns.into_iter().chain([OTHER]).map(route).collect();
        let routes = Arc::new(Routes { all, requests, seconds, threads: ThreadLocal::new() });
        for (pattern, method, statuses) in known {
            for status in statuses.into_iter().chain(ALWAYS) {
                routes.counter(routes.find(pattern) * SERIES + series(method, status));
            }
        }
        registry.register(Box::new(Whole(Arc::clone(&routes))))?;
        Ok(Self { routes, limits })
    }
}

impl Routes {
    /// The place of a route.
    fn find(&self, pattern: &str) -> usize {
        // The first one is the one that is asked for most; there are few.
        self.all.iter().position(|route| route.pattern == pattern).unwrap_or(self.all.len() - 1)
    }

    /// The counter of a route's series, which is there from then on.
    fn counter(&self, number: usize) -> &IntCounter {
        let (route, series) = (&self.all[number / SERIES], number % SERIES);
        route.series[series].get_or_init(|| {
            let (method, status) = (series / (STATUSES.len() + 1), series % (STATUSES.len() + 1));
            let status = STATUSES.get(status).map_or_else(|| OTHER.to_owned(), u16::to_string);
            self.requests.with_label_values(&[&route.pattern, METHODS[method], &status])
        })
    }

    /// What this thread counts.
    fn counted(&self) -> &Counted {
        self.threads.get_or(|| Counted {
            requests: Tally::new(self.all.len() * SERIES),
            seconds: self.all.iter().map(|route| Mutex::new(route.seconds.local())).collect(),
        })
    }
}

/// Methods and statuses of a route.
const SERIES: usize = METHODS.len() * (STATUSES.len() + 1);

/// The place of a method and status among a route's series.
fn series(method: &str, status: u16) -> usize {
    let method = METHODS.iter().position(|known| *known == method).unwrap_or(METHODS.len() - 1);
    let status = STATUSES.binary_search(&status).unwrap_or(STATUSES.len());
    method * (STATUSES.len() + 1) + status
}

impl RequestMeter for Requests {
    fn request(&self, route: &str, method: &'static str, status: u16, seconds: f64) {
        let (route, counted) = (self.routes.find(route), self.routes.counted());
        counted.requests.add(route * SERIES + series(method, status), 1);
        counted.seconds[route].lock().unwrap_or_else(PoisonError::into_inner).observe(seconds);
    }

    fn limit(&self, limit: Limit) {
        self.limits[limit].inc();
    }
}

/// Both families, as they are looked at.
struct Whole(Arc<Routes>);

impl Collector for Whole {
    fn desc(&self) -> Vec<&Desc> {
        let Routes { requests, seconds, .. } = &*self.0;
        [requests.desc(), seconds.desc()].concat()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let routes = &self.0;
        for counted in &routes.threads {
            for (number, count) in counted.requests.pour() {
                routes.counter(number).inc_by(count);
            }
            for seconds in &counted.seconds {
                seconds.lock().unwrap_or_else(PoisonError::into_inner).flush();
            }
        }
        [routes.requests.collect(), routes.seconds.collect()].concat()
    }
}

/// Route, method and statuses of each operation of the description; permalinks first.
fn described(description: &Value) -> Vec<(&str, &'static str, Vec<u16>)> {
    let mut operations = Vec::new();
    let paths = description["paths"].as_object().into_iter().flatten();
    for (path, operation, method) in paths.flat_map(|(path, item)| {
        METHODS.iter().filter_map(move |method| Some((path, item.get(method.to_lowercase())?, *method)))
    }) {
        let statuses = operation["responses"].as_object().into_iter().flatten();
        let statuses = statuses.filter_map(|(status, _)| status.parse().ok()).collect();
        operations.push((path.as_str(), method, statuses));
    }
    operations.sort_by_key(|(path, ..)| !path.starts_with("/m/"));
    operations
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::telemetry::metrics::Metrics;

    fn requests() -> (Metrics, Requests) {
        let metrics = Metrics::new().unwrap();
        let description = json!({"paths": {
            "/media/v1/usage": {"get": {"responses": {"200": {}, "403": {}}}},
            "/m/{id}": {"get": {"responses": {"302": {}}}, "parameters": []},
        }});
        let requests = metrics.requests(&description).unwrap();
        (metrics, requests)
    }

    #[test]
    fn what_is_described_is_there_before_the_first_request_and_permalinks_are_found_first() {
        let (metrics, requests) = requests();
        let text = metrics.render();
        for (route, status) in [("/m/{id}", 302), ("/m/{id}", 503), ("/media/v1/usage", 403), ("edge", 206)] {
            let line = format!(
                "signet_http_requests_total{{method=\"GET\",route=\"{route}\",status=\"{status}\"}} 0\n"
            );
            assert!(text.contains(&line), "{line} isn't in {text}");
        }
        assert_eq!(requests.routes.all[0].pattern, "/m/{id}");
    }

    #[test]
    fn requests_are_counted_where_they_belong() {
        let (metrics, requests) = requests();
        requests.request("/m/{id}", "GET", 302, 0.0003);
        requests.request("/m/{id}", "PUT", 405, 0.001);
        requests.limit(Limit::Items);
        let text = metrics.render();
        for line in [
            "signet_http_requests_total{method=\"GET\",route=\"/m/{id}\",status=\"302\"} 1\n",
            "signet_http_requests_total{method=\"PUT\",route=\"/m/{id}\",status=\"405\"} 1\n",
            "signet_http_request_duration_seconds_bucket{route=\"/m/{id}\",le=\"0.0005\"} 1\n",
            "signet_http_request_duration_seconds_count{route=\"/m/{id}\"} 2\n",
            "signet_limits_hit_total{limit=\"items\"} 1\n",
        ] {
            assert!(text.contains(line), "{line} isn't in {text}");
        }
    }

    #[test]
    fn whatever_comes_there_are_no_more_series_than_routes_methods_and_statuses() {
        let (metrics, requests) = requests();
        for number in 0..5_000_u16 {
            requests.request(&format!("/{number}"), "BREW", number, 1.0);
        }
        let text = metrics.render();
        let other = text.lines().filter(|line| line.contains("route=\"other\"") && line.contains("_total"));
        assert!(other.count() <= METHODS.len() * (STATUSES.len() + 1));
        assert!(text.contains("{method=\"OTHER\",route=\"other\",status=\"other\"}"), "{text}");
        assert!(!text.contains("route=\"/1\""));
    }

    #[test]
    fn statuses_are_in_order() {
        assert!(STATUSES.is_sorted());
    }
}
