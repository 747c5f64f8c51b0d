//! Which of the things that a task waits for has woken it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};

use futures_util::task::AtomicWaker;

/// Wakes a task, and remembers that it did: what is polled with it needn't be polled each time that the task wakes
/// for another reason.
pub(super) struct Bell {
    rings: Arc<Rings>,
    waker: Waker,
    /// The task that it wakes.
    task: Option<Waker>,
}

struct Rings {
    rang: AtomicBool,
    task: AtomicWaker,
}

impl Bell {
    /// A bell that has rung: what it is for has never been polled.
    pub(super) fn new() -> Self {
        let rings = Arc::new(Rings { rang: AtomicBool::new(true), task: AtomicWaker::new() });
        Self { waker: Waker::from(Arc::clone(&rings)), rings, task: None }
    }

    /// What to poll with, if it rang since this was asked last. The task of `context` is the one that it wakes.
    pub(super) fn rung(&mut self, context: &Context<'_>) -> Option<Context<'_>> {
        let known = self.task.as_ref().is_some_and(|task| task.will_wake(context.waker()));
        let rang = self.rings.rang.load(Ordering::Acquire);
        if !known {
            self.task = Some(context.waker().clone());
        }
        if rang || !known {
            // A task that was woken isn't registered any more. It has to be before a ring is taken off.
            self.rings.task.register(context.waker());
        }
        (rang && self.rings.rang.swap(false, Ordering::AcqRel)).then(|| Context::from_waker(&self.waker))
    }
}

impl Wake for Rings {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rang.store(true, Ordering::Release);
        self.task.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[derive(Default)]
    struct Task(AtomicUsize);

    impl Wake for Task {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn each_ring_wakes_the_task_and_is_told_once() {
        let task = Arc::new(Task::default());
        let waker = Waker::from(Arc::clone(&task));
        let (mut bell, context) = (Bell::new(), Context::from_waker(&waker));
        let ringer = bell.rung(&context).unwrap().waker().clone();
        for rings in 1..=3 {
            assert!(bell.rung(&context).is_none());
            ringer.wake_by_ref();
            assert_eq!(task.0.load(Ordering::Relaxed), rings);
            assert!(bell.rung(&context).is_some());
        }
    }
}
