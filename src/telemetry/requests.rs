//! What is counted of requests: by route, method and status, without a look-up in a map of strings for each.
//!
//! Every series that the description of the API names is there from the start. Others come with their first
//! request, and are bounded: routes that aren't known are one, and so are statuses that Signet doesn't answer.

use std::sync::OnceLock;

use prometheus::{Error, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry};
use serde_json::Value;

use super::family::{Counters, REQUEST_SECONDS};
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
    ("refused", "GET", &[429]),
    (OTHER, "GET", &[404]),
];

/// Counts requests.
pub struct Requests {
    routes: Vec<Route>,
    /// For what none of them is.
    other: Route,
    limits: Counters<Limit>,
}

struct Route {
    pattern: String,
    seconds: Histogram,
    requests: IntCounterVec,
    /// By method and status.
    series: Box<[OnceLock<IntCounter>]>,
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
        registry.register(Box::new(requests.clone()))?;
        let seconds = HistogramVec::new(
            HistogramOpts::new(
                "signet_http_request_duration_seconds",
                "Time from a request's head to its answer's head, by route.",
            )
            .buckets(REQUEST_SECONDS.to_vec()),
            &["route"],
        )?;
        registry.register(Box::new(seconds.clone()))?;
        let route = |pattern: &str| Route {
            pattern: pattern.to_owned(),
            seconds: seconds.with_label_values(&[pattern]),
            requests: requests.clone(),
            series: (0..METHODS.len() * (STATUSES.len() + 1)).map(|_| OnceLock::new()).collect(),
        };
        let mut this = Self { routes: Vec::new(), other: route(OTHER), limits };
        let described = described(description);
        let others = OTHERS.iter().map(|(route, method, statuses)| (*route, *method, statuses.to_vec()));
        for (pattern, method, statuses) in described.into_iter().chain(others) {
            if !this.routes.iter().any(|known| known.pattern == pattern) && pattern != OTHER {
                this.routes.push(route(pattern));
            }
            for status in statuses.into_iter().chain(ALWAYS) {
                this.route(pattern).counter(method, status);
            }
        }
        Ok(this)
    }

    fn route(&self, pattern: &str) -> &Route {
        // The first one is the one that is asked for most; there are few.
        self.routes.iter().find(|route| route.pattern == pattern).unwrap_or(&self.other)
    }
}

impl Route {
    fn counter(&self, method: &str, status: u16) -> &IntCounter {
        let method = METHODS.iter().position(|known| *known == method).unwrap_or(METHODS.len() - 1);
        let status = STATUSES.binary_search(&status).unwrap_or(STATUSES.len());
        self.series[method * (STATUSES.len() + 1) + status].get_or_init(|| {
            let status = STATUSES.get(status).map_or_else(|| OTHER.to_owned(), u16::to_string);
            self.requests.with_label_values(&[&self.pattern, METHODS[method], &status])
        })
    }
}

impl RequestMeter for Requests {
    fn request(&self, route: &str, method: &'static str, status: u16, seconds: f64) {
        let route = self.route(route);
        route.counter(method, status).inc();
        route.seconds.observe(seconds);
    }

    fn limit(&self, limit: Limit) {
        self.limits[limit].inc();
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
        assert_eq!(requests.routes[0].pattern, "/m/{id}");
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
