//! Reads of one thing each that must not delay the others: one that does not answer soon goes on
//! beside the passes, and what it is of is unknown until it has answered.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::{StreamExt, stream};
use tokio::task::{JoinError, JoinHandle};
use tokio::time::Instant;

use crate::model::fact::{Why, WhyKind};

/// How long a pass waits for one such read. AWS answers in a fraction of a second; what takes
/// longer waits for its turn, is being retried, or hangs. The clients' own limits end it (`aws.operation_timeout`).
pub const READ_WAIT: Duration = Duration::from_secs(5);

/// An answer that comes later is not used: the clients' own limits end a call sooner.
const LATE_MAX: Duration = Duration::from_mins(10);

/// Reads that are made side by side.
#[derive(Debug)]
pub struct Bounded<K, T> {
    operation: &'static str,
    wait: Duration,
    /// Those that a pass has given up waiting for.
    late: BTreeMap<K, Late<T>>,
}

/// A read that goes on beside the passes, and since when.
type Late<T> = (Instant, JoinHandle<T>);

impl<K, T> Drop for Bounded<K, T> {
    fn drop(&mut self) {
        // They only read, so that they may end anywhere.
        self.late.values().for_each(|(_, task)| task.abort());
    }
}

impl<K: Ord + Clone, T: Send + 'static> Bounded<K, T> {
    /// None yet, of this operation.
    pub const fn new(operation: &'static str) -> Self {
        Self { operation, wait: READ_WAIT, late: BTreeMap::new() }
    }

    /// Those that nobody asks for any more are given up.
    pub fn retain(&mut self, wanted: impl Fn(&K) -> bool) {
        self.late.retain(|key, (_, task)| {
            let kept = wanted(key);
            if !kept {
                task.abort();
            }
            kept
        });
    }

    /// Makes a read of each of these, at most `concurrency` at a time. One that is still under
    /// way from an earlier pass is not waited for, nor made a second time. None begins after `until`; those have no answer.
    pub async fn read<F>(
        &mut self,
        of: Vec<K>,
        (concurrency, until): (usize, Option<Instant>),
        read: impl Fn(&K) -> F,
    ) -> Vec<(K, Result<T, Why>)>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let (operation, most) = (self.operation, self.wait);
        let mut under_way = |key: K| {
            let late = self.late.remove(&key);
            // What was asked for long ago says nothing of now.
            (key, late.filter(|(since, _)| since.elapsed() < LATE_MAX))
        };
        let under_way: Vec<(K, Option<Late<T>>)> = of.into_iter().map(&mut under_way).collect();
        let ended: Vec<_> = stream::iter(under_way)
            .map(|(key, late)| {
                let read = &read;
                async move {
                    let wait = if late.is_some() { Duration::ZERO } else { most };
                    let is_over = until.is_some_and(|until| Instant::now() >= until);
                    if late.is_none() && is_over {
                        return None;
                    }
                    let begin = || (Instant::now(), tokio::spawn(read(&key)));
                    let (since, mut task) = late.unwrap_or_else(begin);
                    let ended = match tokio::time::timeout(wait, &mut task).await {
                        Ok(ended) => Ok(ended),
                        Err(_) => Err((since, task)),
                    };
                    Some((key, ended))
                }
            })
            .buffer_unordered(concurrency.max(1))
            .filter_map(std::future::ready)
            .collect()
            .await;
        let mut answers = Vec::with_capacity(ended.len());
        for (key, ended) in ended {
            let answer = match ended {
                Ok(answer) => answer.map_err(|error| failed(operation, &error)),
                Err(task) => {
                    self.late.insert(key.clone(), task);
                    Err(late(operation))
                }
            };
            answers.push((key, answer));
        }
        answers
    }
}

/// Waits for one read no longer than [`READ_WAIT`].
///
/// # Errors
/// When it has not answered by then; it is given up.
pub async fn soon<T>(operation: &'static str, read: impl Future<Output = T>) -> Result<T, Why> {
    tokio::time::timeout(READ_WAIT, read).await.map_err(|_| late(operation))
}

fn late(operation: &str) -> Why {
    let seconds = READ_WAIT.as_secs();
    // Nothing tells here whether it was sent: the rate may not have let it.
    let sentence = format!(
        "{operation} has not answered within {seconds} s, the wait for its turn among the calls to AWS included"
    );
    Why::new(WhyKind::Transient, sentence)
}

/// A bug of ours in one read must not stop the others.
fn failed(operation: &str, error: &JoinError) -> Why {
    Why::new(WhyKind::Garbage, format!("setpoint failed to read {operation}: {error}"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Notify;
    use tokio::time::Instant;

    use super::*;

    #[tokio::test]
    async fn one_that_hangs_delays_one_pass_once_and_is_not_asked_twice() {
        let (answer, asked) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
        let mut reads: Bounded<&str, &str> = Bounded::new("DescribeEndpoint");
        reads.wait = Duration::from_millis(400);
        let read = |key: &&'static str| {
            let (answer, asked, key) = (Arc::clone(&answer), Arc::clone(&asked), *key);
            async move {
                asked.fetch_add(1, Ordering::Relaxed);
                match key {
                    "hangs" => answer.notified().await,
                    "breaks" => panic!("a bug"),
                    _ => {}
                }
                key
            }
        };
        let of = || vec!["a", "hangs", "breaks", "b"];
        let mut took = Vec::new();
        for _ in 0..3 {
            let began = Instant::now();
            // One at a time: those behind it are read all the same.
            let answers: BTreeMap<_, _> =
                reads.read(of(), (1, None), read).await.into_iter().collect();
            took.push(began.elapsed() >= Duration::from_millis(400));
            assert_eq!(answers["a"], Ok("a"));
            assert_eq!(answers["b"], Ok("b"));
            let why = answers["hangs"].clone().unwrap_err();
            assert!(why.message.starts_with("DescribeEndpoint has not answered"), "{why:?}");
            assert_eq!(answers["breaks"].clone().unwrap_err().kind, WhyKind::Garbage);
        }
        assert_eq!(took, [true, false, false]);
        assert_eq!(asked.load(Ordering::Relaxed), 3 * 3 + 1);
        // Its answer is taken in when it has come, without another call.
        answer.notify_one();
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
        let answers: BTreeMap<_, _> = reads.read(of(), (1, None), read).await.into_iter().collect();
        assert_eq!(answers["hangs"], Ok("hangs"));
        assert_eq!(asked.load(Ordering::Relaxed), 3 * 4 + 1);
    }
}
