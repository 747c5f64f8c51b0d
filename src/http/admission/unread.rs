//! What clients without good credentials have under way and haven't taken yet, in bytes, by network.
//!
//! 1. [`UnreadBudget`]: how much each network may have. It takes 1 MiB, whatever number of networks comes: each network
//!    has two counters, found by a hash under a secret key, and is refused where both are full. Others may have one of
//!    them too: where a thousand networks have used theirs up, one in 4,000 others is refused with them.
//! 2. [`Charge`]: what one request has of it, from its head until the last byte of its answer has left this program.
//!    HTTP/2 takes pieces of an answer into its own queue, where they may lie for as long as the client likes. So a
//!    piece keeps the charge itself, and gives it back when it is freed ([`Piece`]).
//!
//! An answer without a body needs no charge beyond its head: what is left of it are frames in HTTP/2's queue, of
//! which a connection has no more than it may have requests.

use std::hash::{BuildHasher, RandomState};
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Context;

use axum::body::{Body, Bytes, HttpBody};
use axum::response::Response;
use hyper::header::CONTENT_LENGTH;

use crate::http::guarded_body::{Guard, GuardedBody, PolledFrame};
use crate::service::rates::ClientNet;

/// How much each network may have under way and unread.
pub(in crate::http) struct UnreadBudget(Arc<Table>);

struct Table {
    /// In bytes, of each network.
    most: u64,
    /// In bytes.
    counters: Box<[AtomicU64]>,
    hasher: RandomState,
}

/// What one request has of a budget, until it is dropped.
pub(in crate::http) struct Charge {
    table: Arc<Table>,
    counters: [usize; 2],
    bytes: AtomicU64,
}

/// Marks an answer whose body is shared with all others like it: it costs no memory of its own.
#[derive(Clone, Copy)]
pub(in crate::http) struct SharedBody;

impl UnreadBudget {
    /// A budget of so many bytes for each network.
    pub(in crate::http) fn new(most: NonZeroUsize) -> Self {
        let counters = (0..COUNTERS).map(|_| AtomicU64::new(0)).collect();
        Self(Arc::new(Table { most: most.get() as u64, counters, hasher: RandomState::new() }))
    }

    /// Takes bytes for a request of a network; `None` where the network has too few left.
    pub(in crate::http) fn take(&self, net: ClientNet, bytes: u64) -> Option<Charge> {
        let hash = self.0.hasher.hash_one(net);
        let counters = [hash as usize % COUNTERS, (hash >> 32) as usize % COUNTERS];
        let charge = Charge { table: Arc::clone(&self.0), counters, bytes: AtomicU64::new(0) };
        charge.grow(bytes).then_some(charge)
    }
}

impl Charge {
    /// Takes more bytes; `false`, and it stays as it was, where the network has too few left.
    pub(in crate::http) fn grow(&self, more: u64) -> bool {
        // Only numbers are shared: nothing has to be seen in their order.
        let before = self.each().map(|counter| counter.fetch_add(more, Ordering::Relaxed));
        let fits = before.iter().any(|before| before.saturating_add(more) <= self.table.most);
        if fits {
            self.bytes.fetch_add(more, Ordering::Relaxed);
        } else {
            self.give_back(more);
        }
        fits
    }

    fn give_back(&self, bytes: u64) {
        for counter in self.each() {
            counter.fetch_sub(bytes, Ordering::Relaxed);
        }
    }

    fn each(&self) -> [&AtomicU64; 2] {
        self.counters.map(|counter| &self.table.counters[counter])
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        let bytes = self.bytes.load(Ordering::Relaxed);
        self.give_back(bytes);
    }
}

/// Returns what a request costs, in bytes, before anything is known of its answer. A problem repeats the path, with a
/// backslash before some of its letters.
pub(in crate::http) fn cost_of_request(path: &str) -> u64 {
    REQUEST_BYTES + 2 * path.len() as u64
}

/// Returns the memory that is held of an answer until its client takes it, in bytes.
pub(in crate::http) fn cost_of_answer(answer: &Response) -> u64 {
    if answer.extensions().get::<SharedBody>().is_some() {
        return 0;
    }
    if let Some(whole) = answer.body().size_hint().exact() {
        return whole;
    }
    let length = answer.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    length.unwrap_or(PIECES_BYTES).min(PIECES_BYTES)
}

/// Makes the body of an answer keep a charge.
pub(in crate::http) fn charged(answer: Response, charge: Arc<Charge>) -> Response {
    if answer.body().is_end_stream() {
        return answer;
    }
    answer.map(|body| Body::new(GuardedBody::new(body, charge)))
}

/// A piece of a body.
struct Piece {
    bytes: Bytes,
    _charge: Arc<Charge>,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Each piece of a body keeps the charge too.
impl Guard for Arc<Charge> {
    fn poll_frame(&mut self, body: Pin<&mut Body>, context: &mut Context<'_>) -> PolledFrame {
        let keep = |bytes| Bytes::from_owner(Piece { bytes, _charge: Arc::clone(self) });
        body.poll_frame(context).map(|frame| frame.map(|frame| frame.map(|frame| frame.map_data(keep))))
    }
}

/// A power of two: 8 bytes each.
const COUNTERS: usize = 1 << 17;
/// What a request holds beside its path and the body of its answer, in bytes: tasks, headers, HTTP/2's state.
const REQUEST_BYTES: u64 = 8 * 1024;
/// Memory of a streamed answer that its client doesn't read, in bytes: a chunk of 32 KiB that is being read from the file,
/// and at most two more in HTTP/1's write buffer or HTTP/2's send queue, rounded up.
const PIECES_BYTES: u64 = 128 * 1024;

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    fn net(number: u32) -> ClientNet {
        ClientNet::of(std::net::Ipv4Addr::from_bits(number).into())
    }

    fn budget(bytes: usize) -> UnreadBudget {
        UnreadBudget::new(NonZeroUsize::new(bytes).unwrap())
    }

    fn taken(budget: &UnreadBudget) -> u64 {
        budget.0.counters.iter().map(|counter| counter.load(Ordering::Relaxed)).sum()
    }

    #[test]
    fn a_network_has_so_much_and_gets_it_back() {
        let budget = budget(100);
        let first = budget.take(net(1), 60).unwrap();
        assert!(budget.take(net(1), 41).is_none());
        assert!(budget.take(net(2), 100).is_some(), "another network has its own");
        assert!(!first.grow(41) && first.grow(40));
        assert!(budget.take(net(1), 1).is_none());
        drop(first);
        assert_eq!(taken(&budget), 0, "what was refused takes nothing");
        assert!(budget.take(net(1), 100).is_some());
    }

    #[test]
    fn networks_that_have_used_theirs_up_keep_few_others_out() {
        let budget = budget(1);
        let held: Vec<_> = (0..1_000).map(|number| budget.take(net(number), 1)).collect();
        let refused = (0..20_000).filter(|number| budget.take(net(1 << 20 | number), 1).is_none()).count();
        assert!(refused < 40, "{refused} of 20,000");
        drop(held);
        assert_eq!(taken(&budget), 0);
    }

    #[tokio::test]
    async fn a_piece_keeps_the_charge_for_as_long_as_it_is_there() {
        let budget = budget(100);
        let charge = Arc::new(budget.take(net(1), 100).unwrap());
        let mut body = charged(Response::new(Body::from("ab")), charge).into_body();
        let piece = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(piece, "ab");
        drop(body);
        let rest = piece.slice(1..);
        drop(piece);
        assert!(budget.take(net(1), 1).is_none(), "HTTP/2 holds a part of it");
        drop(rest);
        assert!(budget.take(net(1), 100).is_some());
    }

    #[test]
    fn an_answer_costs_what_is_held_of_it() {
        assert_eq!(cost_of_answer(&Response::new(Body::from(vec![0; 300_000]))), 300_000);
        let shared = Response::builder().extension(SharedBody).body(Body::from(vec![0; 300_000]));
        assert_eq!(cost_of_answer(&shared.unwrap()), 0);
        let stream = || Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>());
        assert_eq!(cost_of_answer(&Response::new(stream())), PIECES_BYTES);
        for (length, cost) in [("1000", 1_000), ("5000000", PIECES_BYTES)] {
            let answer = Response::builder().header(CONTENT_LENGTH, length).body(stream());
            assert_eq!(cost_of_answer(&answer.unwrap()), cost);
        }
    }
}
