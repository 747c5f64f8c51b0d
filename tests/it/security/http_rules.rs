//! Requests that break HTTP are refused; answers say how browsers must treat them.
