//! Several accounts and regions in one process: the binary over the wire against several worlds,
//! and passes of one fleet over several worlds.

mod broken;
mod config;
mod fleet;
mod repairs;
mod roles;
mod told;

use std::path::PathBuf;

use crate::contract::recorder::WireRecorder;
use crate::daemon::process::{Directory, Served};

/// The two accounts.
const A: &str = "111111111111";
const B: &str = "222222222222";

/// A world of an account and region behind a recorder, so that it shows whatever is sent to it.
struct Account {
    id: &'static str,
    region: &'static str,
    /// More keys of its entry in `accounts`.
    keys: String,
    served: Served,
    recorder: WireRecorder,
}

impl Account {
    fn new(account_id: &'static str, region: &'static str, endpoints: &str) -> Self {
        Self::in_world(account_id, region, "", endpoints)
    }

    /// `more` are settings of the world, such as `, role: {}`.
    fn in_world(
        account_id: &'static str,
        region: &'static str,
        more: &str,
        endpoints: &str,
    ) -> Self {
        let world = format!("{{account_id: \"{account_id}\", region: {region}{more}}}");
        let served = Served::in_world(&world, endpoints);
        let recorder = WireRecorder::before(&served.url);
        Self { id: account_id, region, keys: String::new(), served, recorder }
    }

    /// The same, told in the configuration as another account.
    fn called(mut self, account_id: &'static str) -> Self {
        self.id = account_id;
        self
    }

    fn with(mut self, keys: &str) -> Self {
        keys.clone_into(&mut self.keys);
        self
    }

    /// Writes that reached the wire.
    fn writes(&self) -> Vec<String> {
        self.recorder.other_than_reads()
    }

    fn entry(&self) -> String {
        let Self { id, region, keys, .. } = self;
        let url = self.recorder.url();
        format!(
            "  - {{account_id: \"{id}\", regions: [{region}], endpoint_url: \"{url}\"{keys}}}\n"
        )
    }
}

/// Writes a configuration of these accounts, then `rest`. Calls are quick to give up.
fn configure(directory: &Directory, accounts: &[&Account], rest: &str) -> PathBuf {
    let aws = "aws: {call_rate_per_second: 100, write_rate_per_second: 100, \
               connect_timeout_seconds: 2, attempt_timeout_seconds: 4, \
               operation_timeout_seconds: 4, max_attempts: 1}\n";
    let entries: String = accounts.iter().map(|account| account.entry()).collect();
    directory.write(&format!("{aws}accounts:\n{entries}{rest}"))
}
