//! Tenants never have overlapping roots.
