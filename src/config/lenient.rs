//! The HTTP section alone, as far as it can be read: people on call must reach the daemon while a
//! configuration is broken, for it still runs with the one before.

use std::path::PathBuf;

use super::layers::Sources;
use super::merge::{Read, read};
use super::problem::Problem;
use super::settings::HttpSettings;

/// `http` of these layers, later ones first; with what kept a layer from being read. What is wrong
/// elsewhere does not matter.
///
/// # Errors
/// When `http.listen` is none.
pub fn http(sources: &Sources) -> Result<(HttpSettings, Vec<Problem>), Box<Problem>> {
    let Read { layers, problems, .. } = read(sources);
    let value = |key: &str| {
        let of =
            |layer: &super::layers::Layer| layer.json()["http"][key].as_str().map(str::to_owned);
        layers.iter().rev().find_map(of)
    };
    let listen = value("listen").unwrap_or_default();
    let listen = listen.parse().map_err(|_| {
        let allowed = "an IP address and a port, such as 0.0.0.0:9090 or [::]:9090";
        Box::new(Problem::new("configuration", "http.listen", format!("{listen:?}"), allowed))
    })?;
    let token_file = value("token_file").map(PathBuf::from);
    // Of no use to whoever asks the server: it answers without the base path too.
    let (allowed_hosts, base_path, dashboard_url) = (Vec::new(), String::new(), None);
    let http = HttpSettings { listen, token_file, allowed_hosts, base_path, dashboard_url };
    Ok((http, problems))
}
