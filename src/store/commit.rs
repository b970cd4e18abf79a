//! The ticket for a queued batch. Resolves once, after the batch is durable or refused; never earlier.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use super::CommitError;

type Outcome = Result<u64, CommitError>;

/// A commit under way. Await it, or [`Commit::wait`] where there is no async runtime. The value is the commit's
/// sequence; an empty batch whose expectations hold takes none and gives that of the commit before it.
#[must_use = "the batch is durable only after this resolves"]
pub struct Commit(Pin<Box<dyn Future<Output = Outcome> + Send>>);

impl Commit {
    /// A commit that is already decided.
    pub fn ready(outcome: Outcome) -> Commit {
        Commit(Box::pin(std::future::ready(outcome)))
    }

    /// A commit that another part decides.
    pub(super) fn pending(outcome: impl Future<Output = Outcome> + Send + 'static) -> Commit {
        Commit(Box::pin(outcome))
    }

    /// Blocks this thread until the commit is decided. For threads and tests; an async caller awaits instead.
    ///
    /// # Errors
    /// As awaiting the commit: a conflict, or a failed store.
    pub fn wait(mut self) -> Outcome {
        let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
        let mut context = Context::from_waker(&waker);
        loop {
            match self.0.as_mut().poll(&mut context) {
                Poll::Ready(outcome) => return outcome,
                Poll::Pending => std::thread::park(),
            }
        }
    }
}

impl Future for Commit {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome> {
        self.0.as_mut().poll(context)
    }
}

/// Wakes a thread parked in [`Commit::wait`].
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
