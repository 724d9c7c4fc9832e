//! Shards as processes, each with a Lease: one of a number leads at a time, and none beside a process of
//! other shards that has something of its own.

use std::net::{Ipv4Addr, SocketAddr};

use serde_json::{Value, json};
use setpoint::sim::Scenario;
use setpoint::sim::server::{Pace, Server};

use super::cluster::Cluster;
use super::process::{Replica, configuration};
use crate::daemon::process::Directory;

/// One account with two regions, without shards or as one of two.
fn sections(total: u32) -> Value {
    let mut aws = configuration()["aws"].clone();
    for own in ["region", "account_id"] {
        aws.as_object_mut().unwrap().remove(own);
    }
    json!({
        "aws": aws,
        "accounts": [{"account_id": "123456789012", "regions": ["us-east-1", "eu-west-1"]}],
        "sharding": {"total_shards": total},
    })
}

#[test]
fn shards_begin_when_the_process_before_them_has_gone_and_two_of_a_number_take_turns() {
    let cluster = Cluster::new();
    // A real server has what the chart installs: no shards.
    if cluster.installed.is_some() {
        return;
    }
    let folder = Directory::new();
    let at = folder.write("{}");
    let at = at.parent().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let sim = Scenario::fleet(1).build().unwrap();
    let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let server = runtime.block_on(Server::start(sim, loopback, Pace::Step)).unwrap();
    let url = server.endpoint_url();
    let start = |name: &str, total: u32| {
        runtime.block_on(Replica::configured(at, name, &cluster, &url, &sections(total)))
    };

    let mut before = start("setpoint-7d4b9c-x2fqz", 1);
    before.wait("it leads", Replica::leads);
    let one = start("setpoint-1", 2);
    one.wait("it waits", |replica| replica.log().contains("not leading yet"));
    assert!(one.follows(), "{}", one.log());
    let zero = start("setpoint-0", 2);
    before.signal("-TERM");
    assert!(before.ended());
    one.wait("shard 1 leads", Replica::leads);
    zero.wait("shard 0 leads", Replica::leads);
    let scopes = |name: &str| {
        let lease = cluster.get("leases", name).unwrap();
        lease["metadata"]["annotations"]["setpoint.dev/scopes"].as_str().unwrap().to_owned()
    };
    let mut all = [scopes("setpoint"), scopes("setpoint-shard-1")];
    all.sort();
    assert_eq!(all, ["123456789012/eu-west-1", "123456789012/us-east-1"]);

    let second = start("other-1", 2);
    second.wait("the Lease keeps it apart", Replica::follows);
    assert!(one.leads() && !second.leads());
    let mut one = one;
    one.signal("-KILL");
    one.ended();
    second.wait("it takes over", Replica::leads);
    assert!(zero.leads(), "the other shard goes on");
    assert!(zero.page("/metrics").contains("setpoint_total_shards{shard=\"0\"} 2"));
}
