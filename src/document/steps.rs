//! Counts the steps of a scan, in tests alone: how their number grows with a document says what a clock can't.

/// Counts steps. Does nothing outside of tests.
#[inline(always)]
pub(super) fn count(steps: usize) {
    #[cfg(test)]
    STEPS.with(|total| total.set(total.get() + steps as u64));
    #[cfg(not(test))]
    let _ = steps;
}

#[cfg(test)]
std::thread_local! {
    static STEPS: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// Runs some work, and returns how many steps it took.
#[cfg(test)]
pub(super) fn counted<T>(work: impl FnOnce() -> T) -> (T, u64) {
    let before = STEPS.get();
    let outcome = work();
    (outcome, STEPS.get() - before)
}
