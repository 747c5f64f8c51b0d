//! Signet: a CDN edge signing proxy.
