//! A ticket can't refill a place that its asset has left.
