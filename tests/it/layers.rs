//! The layer table: what each folder of `src/` may know. One crate can't enforce arrows by itself,
//! so this reads the sources: paths into the crate, and names of other crates.

use std::fs;
use std::path::{Path, PathBuf};

/// A folder or file of `src/`, the other rooms of the crate that it may name, and the crates that
/// it must not.
struct Layer {
    room: &'static str,
    may_know: &'static [&'static str],
    must_not_know: &'static [&'static str],
}

/// What pure code does without: runtimes, networks, caches, logs, settings.
const IMPURE: &[&str] = &[
    "tokio",
    "tokio_util",
    "http",
    "hyper",
    "hyper_util",
    "http_body_util",
    "axum",
    "tower",
    "tower_http",
    "moka",
    "tracing",
    "config",
    "clap",
    "redb",
    "prometheus",
    "arc_swap",
    "async_trait",
    "futures_util",
    "async_compression",
    "jsonwebtoken",
    "bytes",
];

const LAYERS: &[Layer] = &[
    Layer { room: "cloudfront", may_know: &[], must_not_know: IMPURE },
    Layer { room: "document", may_know: &[], must_not_know: IMPURE },
    Layer { room: "media", may_know: &[], must_not_know: IMPURE },
    Layer {
        room: "service",
        may_know: &["cloudfront", "document", "media"],
        must_not_know: &[
            "http",
            "hyper",
            "hyper_util",
            "http_body_util",
            "axum",
            "tower",
            "tower_http",
            "mongodb",
            "bson",
            "aws_config",
            "aws_sdk_s3",
            "aws_sdk_secretsmanager",
            "redb",
            "jsonwebtoken",
            "prometheus",
            "config",
            "clap",
        ],
    },
    Layer {
        room: "store/embedded",
        may_know: &["service", "media"],
        must_not_know: &["http", "hyper", "axum", "tower", "jsonwebtoken", "config", "clap", "prometheus"],
    },
    Layer {
        room: "store/jwks",
        may_know: &["service", "media"],
        must_not_know: &["http", "axum", "tower", "redb", "config", "clap", "prometheus"],
    },
    Layer {
        room: "store/mongo",
        may_know: &["service", "media"],
        must_not_know: &[
            "http",
            "hyper",
            "axum",
            "tower",
            "redb",
            "jsonwebtoken",
            "aws_config",
            "aws_sdk_s3",
            "config",
            "clap",
            "prometheus",
        ],
    },
    Layer {
        room: "store/aws",
        may_know: &[],
        must_not_know: &["http", "hyper", "axum", "tower", "redb", "jsonwebtoken", "clap", "prometheus"],
    },
    Layer {
        room: "store/s3",
        may_know: &["service", "media"],
        must_not_know: &[
            "http",
            "hyper",
            "axum",
            "tower",
            "redb",
            "mongodb",
            "jsonwebtoken",
            "config",
            "clap",
            "prometheus",
        ],
    },
    Layer {
        room: "store/secrets",
        may_know: &["service"],
        must_not_know: &[
            "http",
            "hyper",
            "axum",
            "tower",
            "redb",
            "jsonwebtoken",
            "config",
            "clap",
            "prometheus",
        ],
    },
    Layer {
        room: "http",
        may_know: &["service", "media", "document", "cloudfront"],
        must_not_know: &[
            "mongodb",
            "bson",
            "aws_config",
            "aws_sdk_s3",
            "aws_sdk_secretsmanager",
            "redb",
            "jsonwebtoken",
            "config",
            "clap",
        ],
    },
    Layer {
        room: "config",
        may_know: &[],
        must_not_know: &["tokio", "hyper", "axum", "redb", "moka", "prometheus", "tracing"],
    },
    Layer {
        room: "telemetry",
        may_know: &["cloudfront", "config", "document", "http", "service"],
        must_not_know: &["redb", "axum", "hyper", "clap"],
    },
    Layer {
        room: "app",
        may_know: &["cloudfront", "config", "document", "http", "media", "service", "store", "telemetry"],
        must_not_know: &["axum", "hyper", "redb", "clap"],
    },
    Layer {
        room: "cli",
        may_know: &["app", "cloudfront", "config", "document", "service"],
        must_not_know: &["axum", "hyper", "redb", "moka", "prometheus"],
    },
];

#[test]
fn no_room_knows_what_it_must_not() {
    let mut wrong = Vec::new();
    for layer in LAYERS {
        let files = sources(&source_folder().join(layer.room));
        assert!(!files.is_empty(), "src/{} is empty", layer.room);
        for file in files {
            for (number, line) in code_lines(&file) {
                for edge in edges(&line) {
                    if let Some(why) = layer.forbids(&edge) {
                        wrong.push(format!("{}:{number}: {why}", file.display()));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "forbidden edges:\n{}", wrong.join("\n"));
}

#[test]
fn every_room_has_a_row_in_the_table() {
    for entry in fs::read_dir(source_folder()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let known = name.ends_with(".rs") || name == "store" || LAYERS.iter().any(|layer| layer.room == name);
        assert!(known, "src/{name} isn't in the layer table");
    }
    for entry in fs::read_dir(source_folder().join("store")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let known = name == "mod.rs" || LAYERS.iter().any(|layer| layer.room == format!("store/{name}"));
        assert!(known, "src/store/{name} isn't in the layer table");
    }
}

#[test]
fn files_are_short_enough_to_be_read() {
    let files = sources(&source_folder());
    let mut lengths: Vec<usize> =
        files.iter().map(|file| fs::read_to_string(file).unwrap().lines().count()).collect();
    for (file, length) in files.iter().zip(&lengths) {
        assert!(*length <= 500, "{} has {length} lines, 500 at most", file.display());
    }
    lengths.sort_unstable();
    let median = lengths[lengths.len() / 2];
    assert!(median <= 150, "the median file has {median} lines, 150 at most");
}

#[test]
fn a_forbidden_edge_would_be_found() {
    let pure = &LAYERS[0];
    for line in [
        "use crate::service::ports::Clock;",
        "use tokio::time;",
        "let now = tokio::time::Instant::now();",
        "fn f(bytes: &::bytes::Bytes) {}",
        "use crate::{media::AssetId};",
        "    pub use moka::future::Cache;",
    ] {
        assert!(edges(line).iter().any(|edge| pure.forbids(edge).is_some()), "{line}");
    }
    for line in [
        "use super::policy::Policy;",
        "use std::time::Duration;",
        "use ulid::config::Parts;",
        "let http = 1;",
        "use crate::cloudfront::Grant;",
    ] {
        assert!(edges(line).iter().all(|edge| pure.forbids(edge).is_none()), "{line}");
    }
}

/// What a line of code names.
#[derive(Debug, PartialEq, Eq)]
enum Edge {
    /// A room of this crate.
    Room(String),
    /// Another crate, or what looks like one: a path's first segment.
    Crate(String),
}

impl Layer {
    fn forbids(&self, edge: &Edge) -> Option<String> {
        match edge {
            Edge::Room(room) => {
                let own = self.room.split('/').next() == Some(room.as_str());
                (!own && !self.may_know.contains(&room.as_str()))
                    .then(|| format!("{} must not know crate::{room}", self.room))
            }
            Edge::Crate(name) => self
                .must_not_know
                .contains(&name.as_str())
                .then(|| format!("{} must not know {name}", self.room)),
        }
    }
}

/// All edges of a line: `crate::room`, `crate::{room::…, room}`, and first segments of other paths.
fn edges(line: &str) -> Vec<Edge> {
    let mut edges = Vec::new();
    for (at, _) in line.match_indices("::") {
        let before = line[..at].trim_end_matches(|c: char| c.is_alphanumeric() || c == '_');
        let head = line[before.len()..at].to_owned();
        let first = !before.ends_with("::");
        let tail = &line[at + 2..];
        if head == "crate" {
            edges.extend(rooms(tail).into_iter().map(Edge::Room));
        } else if head.is_empty() {
            // `::name`: an absolute path.
            let name: String = tail.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            edges.push(Edge::Crate(name));
        } else if first {
            edges.push(Edge::Crate(head));
        }
    }
    edges
}

/// The rooms that a path behind `crate::` begins with.
fn rooms(tail: &str) -> Vec<String> {
    let name =
        |text: &str| -> String { text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect() };
    match tail.strip_prefix('{') {
        None => vec![name(tail)],
        Some(group) => {
            group.split(',').map(|part| name(part.trim())).filter(|room| !room.is_empty()).collect()
        }
    }
}

/// The lines of a file that are code of the product: no comments, no tests at its end.
fn code_lines(file: &Path) -> Vec<(usize, String)> {
    let text = fs::read_to_string(file).unwrap();
    let product = text.lines().take_while(|line| *line != "mod tests {");
    let code = product.enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"));
    code.map(|(index, line)| (index + 1, line.to_owned())).collect()
}

fn source_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}
