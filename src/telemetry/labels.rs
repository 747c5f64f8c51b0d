//! What the labels are called whose values are words of the services.

use crate::document::Reason;
use crate::service::link_cache::CachePart;
use crate::service::ports::{
    AssetSource, CheckoutEnd, ConnectionEnd, DocumentOutcome, LifecycleOutcome, Limit, LinkSource,
    ObjectOperation, StoreOperation, StoreOutcome, TicketOutcome,
};

macro_rules! labels {
    ($($kind:ty = $label:literal,)+) => {$(
        impl $crate::telemetry::family::Label for $kind {
            const NAME: &'static str = $label;
            const ALL: &'static [Self] = {
                let all: &[Self] = &<$kind>::ALL;
                // An index is what stands there.
                let mut index = 0;
                while index < all.len() {
                    assert!(all[index] as usize == index);
                    index += 1;
                }
                all
            };

            fn value(self) -> &'static str {
                self.as_str()
            }

            fn index(self) -> usize {
                self as usize
            }
        }
    )+};
}

labels! {
    AssetSource = "source",
    LinkSource = "source",
    DocumentOutcome = "outcome",
    TicketOutcome = "outcome",
    LifecycleOutcome = "outcome",
    StoreOutcome = "outcome",
    CheckoutEnd = "outcome",
    StoreOperation = "operation",
    ObjectOperation = "operation",
    Reason = "reason",
    ConnectionEnd = "reason",
    Limit = "limit",
    CachePart = "part",
}

pub(super) use labels;
