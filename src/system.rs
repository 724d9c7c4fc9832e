//! This machine: its clock, leadership when there is nobody to share it with, and files.

pub mod files;

use std::time::Duration;

use async_trait::async_trait;

use crate::model::time::Timestamp;
use crate::ports::{Clock, Leadership};

#[derive(Debug, Clone, Copy, Default)]
pub struct WallClock;

#[async_trait]
impl Clock for WallClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock port")]
    fn now(&self) -> Timestamp {
        chrono::Utc::now()
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// The only process there is: it always leads.
#[derive(Debug, Clone, Copy, Default)]
pub struct Alone;

impl Leadership for Alone {
    fn may_write(&self) -> bool {
        true
    }
}
