//! How many files this process may have open: each connection is one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the limit to what so many connections need, as far as the system allows it. What systems set by default,
/// 1,024, is for programs that know no better way to wait.
pub fn allow(connections: usize) {
    let wanted = u64::try_from(connections).unwrap_or(u64::MAX).saturating_add(OTHERS);
    let limit = getrlimit(Resource::Nofile);
    let allowed = limit.maximum.map_or(wanted, |most| most.min(wanted));
    if allowed < wanted {
        tracing::warn!(
            connections,
            files = allowed,
            "the system allows fewer open files than server.max_connections needs: raise the hard limit \
             (ulimit -Hn, LimitNOFILE)"
        );
    }
    if limit.current.is_some_and(|current| current < allowed) {
        let raised = Rlimit { current: Some(allowed), maximum: limit.maximum };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            tracing::warn!(%error, "the limit of open files can't be raised");
        }
    }
}

/// Beside connections: listeners, stores and their servers, files under way.
const OTHERS: u64 = 512;
