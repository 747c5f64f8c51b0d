//! The yardstick of redirects, and what asks both it and Signet.
//!
//! - `bare serve FILE`: a hyper server that answers everything with the status and the headers of a file.
//! - `bare load HOST:PORT PATH[,PATH…] CONNECTIONS SECONDS [RATE]`: requests, as JSON.

mod load;
mod serve;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["serve", file] => serve::serve(&std::fs::read_to_string(file)?).await,
        ["load", address, paths, connections, seconds] => {
            load::load(address, paths, connections.parse()?, seconds.parse()?, None).await
        }
        ["load", address, paths, connections, seconds, rate] => {
            load::load(address, paths, connections.parse()?, seconds.parse()?, Some(rate.parse()?)).await
        }
        _ => Err("bare serve FILE | bare load HOST:PORT PATH[,PATH…] CONNECTIONS SECONDS [RATE]".into()),
    }
}
