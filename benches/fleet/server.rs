//! A cheap server of AWS's wire formats: `GetMetricData` is answered by arithmetic, everything
//! else by the embedded AWS behind it. It runs in a process of its own, so that what is measured is
//! setpoint.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use serde_json::Value;
use setpoint::sim::server::{Pace, Server};
use setpoint::sim::{Scenario, Sim};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Datapoints in one answer (CloudWatch API reference).
const MAX_DATAPOINTS: i64 = 100_800;
const DAY: i64 = 1440;

/// Serves until standard input ends, which it does with the parent; tells where on standard output.
pub(crate) fn serve(size: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let sim = Scenario::fleet(size).build().unwrap();
        sim.advance(3600);
        let behind = start_behind(sim).await;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        println!("http://{}", listener.local_addr().unwrap());
        let tables = Arc::new(Tables::new());
        let address = behind.address();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let tables = Arc::clone(&tables);
                tokio::spawn(async move {
                    // A client that goes away ends its connection and nothing else.
                    let _ = connection(stream, address, &tables).await;
                });
            }
        });
        let end = tokio::task::spawn_blocking(|| std::io::stdin().lines().count());
        end.await.unwrap();
    });
}

async fn start_behind(sim: Sim) -> Server {
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Server::start(sim, listen, Pace::Step).await.unwrap()
}

/// One message of HTTP/1.1 with a length.
struct Message {
    /// Everything, head included.
    bytes: Vec<u8>,
    body: usize,
}

impl Message {
    fn is_metric_data(&self) -> bool {
        self.bytes[..self.body].windows(14).any(|w| w == b"/GetMetricData")
    }
}

async fn connection(
    mut client: TcpStream,
    behind: SocketAddr,
    tables: &Tables,
) -> std::io::Result<()> {
    client.set_nodelay(true)?;
    let mut upstream: Option<TcpStream> = None;
    let mut rest = Vec::new();
    while let Some(request) = read_message(&mut client, &mut rest).await? {
        if request.is_metric_data() {
            client.write_all(&tables.answer(&request.bytes[request.body..])).await?;
            continue;
        }
        if upstream.is_none() {
            let stream = TcpStream::connect(behind).await?;
            stream.set_nodelay(true)?;
            upstream = Some(stream);
        }
        let Some(stream) = &mut upstream else { return Ok(()) };
        stream.write_all(&request.bytes).await?;
        let Some(answer) = read_message(stream, &mut Vec::new()).await? else { return Ok(()) };
        client.write_all(&answer.bytes).await?;
    }
    Ok(())
}

async fn read_message(
    stream: &mut TcpStream,
    rest: &mut Vec<u8>,
) -> std::io::Result<Option<Message>> {
    let mut bytes = std::mem::take(rest);
    let mut buffer = vec![0; 64 * 1024];
    loop {
        if let Some(head) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            let body = head + 4;
            let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
            let length = text.lines().find_map(|line| line.strip_prefix("content-length:"));
            let length: usize = length.map_or(0, |n| n.trim().parse().unwrap());
            while bytes.len() < body + length {
                let n = stream.read(&mut buffer).await?;
                if n == 0 {
                    return Ok(None);
                }
                bytes.extend_from_slice(&buffer[..n]);
            }
            *rest = bytes.split_off(body + length);
            return Ok(Some(Message { bytes, body }));
        }
        let n = stream.read(&mut buffer).await?;
        if n == 0 {
            return Ok(None);
        }
        bytes.extend_from_slice(&buffer[..n]);
    }
}

/// What a variant is like, by its name: no two have the same load, capacity or latency, as in a real fleet.
struct Variant {
    seed: u64,
    /// Invocations a minute and instance at the mean of a day.
    load: f64,
    /// Minutes after midnight at which the day of the variant begins.
    phase: i64,
    /// How strongly latency rises with the load.
    steepness: f64,
    /// Latency without load, in microseconds.
    calm: f64,
}

impl Variant {
    fn of(endpoint: &str) -> Self {
        let seed = endpoint.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
            mixed(hash ^ u64::from(byte)) // FNV's offset, so that a short name fills all bits
        });
        let part = |n: u64| ratio(mixed(seed.wrapping_add(n)));
        Self {
            seed,
            load: 100.0 * 16.0_f64.powf(part(1)),
            phase: (part(2) * DAY as f64) as i64,
            // The load at which it has risen to five times its calm is 1.2 to 2.8 times the mean.
            steepness: (1.2 + 1.6 * part(3)).powi(-6),
            calm: 20_000.0 * 5.0_f64.powf(part(4)),
        }
    }

    /// The value of a metric in a minute since 1970.
    fn value(&self, metric: Metric, minute: i64, tables: &Tables) -> f64 {
        let place = (minute + self.phase).rem_euclid(DAY) as usize;
        let noise = ratio(mixed(self.seed ^ minute as u64));
        let load = (self.load * tables.day[place] * (0.9 + 0.2 * noise)).round();
        match metric {
            Metric::Invocations => 2.0 * load,
            Metric::PerInstance => load,
            Metric::Errors => 0.0,
            Metric::Median => self.calm * (1.0 + 0.05 * noise),
            Metric::P99 => {
                let busy = tables.busy[place] * self.steepness;
                self.calm * (3.0 + 12.0 * busy * (0.5 + ratio(mixed(self.seed ^ !minute as u64))))
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Metric {
    Invocations,
    PerInstance,
    Errors,
    Median,
    P99,
}

impl Metric {
    fn of(metric: &str, statistic: &str) -> Self {
        match (metric, statistic) {
            ("Invocations", _) => Self::Invocations,
            ("InvocationsPerInstance", _) => Self::PerInstance,
            ("Invocation5XXErrors", _) => Self::Errors,
            (_, "p50") => Self::Median,
            _ => Self::P99,
        }
    }
}

/// Finalizer of `SplitMix64` (Steele, Lea and Flood, 2014): all bits depend on all bits.
fn mixed(n: u64) -> u64 {
    let n = (n ^ n >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let n = (n ^ n >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    n ^ n >> 31
}

/// 0 to 1.
fn ratio(hash: u64) -> f64 {
    (hash >> 11) as f64 / (1_u64 << 53) as f64
}

/// Of each minute of a day.
struct Tables {
    /// The load, as a ratio of the mean.
    day: Vec<f64>,
    /// Its sixth power.
    busy: Vec<f64>,
}

impl Tables {
    fn new() -> Self {
        let at = |minute: i64| minute as f64 / DAY as f64 * std::f64::consts::TAU;
        let day: Vec<f64> = (0..DAY).map(|minute| 1.0 - 0.65 * at(minute).cos()).collect();
        Self { busy: day.iter().map(|load| load.powi(6)).collect(), day }
    }

    /// The answer, head and all.
    fn answer(&self, request: &[u8]) -> Vec<u8> {
        let request = parse(&mut &*request);
        let queries = request["MetricDataQueries"].as_array().unwrap();
        let (start, end) = (seconds(&request["StartTime"]), seconds(&request["EndTime"]));
        let token = request["NextToken"].as_str().map_or(0, |token| token.parse().unwrap());
        let each = (MAX_DATAPOINTS / queries.len() as i64).max(1);
        let mut body = vec![0xBF];
        text(&mut body, "MetricDataResults");
        body.push(0x9F);
        let mut more = false;
        for query in queries {
            let stat = &query["MetricStat"];
            let period = stat["Period"].as_i64().unwrap();
            let metric = stat["Metric"]["MetricName"].as_str().unwrap();
            let metric = Metric::of(metric, stat["Stat"].as_str().unwrap());
            let dimensions = stat["Metric"]["Dimensions"].as_array().unwrap();
            let endpoint = dimensions.iter().find(|one| one["Name"] == "EndpointName").unwrap();
            let variant = Variant::of(endpoint["Value"].as_str().unwrap());
            let all = (end - start) / period;
            let (from, to) = (token * each, all.min((token + 1) * each));
            more |= to < all;
            body.push(0xBF);
            text(&mut body, "Id");
            text(&mut body, query["Id"].as_str().unwrap());
            text(&mut body, "StatusCode");
            text(&mut body, if to < all { "PartialData" } else { "Complete" });
            text(&mut body, "Timestamps");
            body.push(0x9F);
            for point in from..to {
                body.push(0xC1);
                body.extend(float(0xFB, (start + point * period) as f64));
            }
            body.push(0xFF);
            text(&mut body, "Values");
            body.push(0x9F);
            for point in from..to {
                let minute = (start + point * period) / 60;
                body.extend(float(0xFB, variant.value(metric, minute, self)));
            }
            body.extend([0xFF, 0xFF]);
        }
        body.push(0xFF);
        if more {
            text(&mut body, "NextToken");
            text(&mut body, &(token + 1).to_string());
        }
        body.push(0xFF);
        let mut answer = format!(
            "HTTP/1.1 200 OK\r\nsmithy-protocol: rpc-v2-cbor\r\ncontent-type: application/cbor\r\n\
             content-length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        answer.extend(body);
        answer
    }
}

fn float(kind: u8, value: f64) -> [u8; 9] {
    let mut bytes = [kind; 9];
    bytes[1..].copy_from_slice(&value.to_be_bytes());
    bytes
}

fn text(to: &mut Vec<u8>, text: &str) {
    match text.len() {
        n @ 0..24 => to.push(0x60 | n as u8),
        n => to.extend([0x78, u8::try_from(n).unwrap()]),
    }
    to.extend(text.as_bytes());
}

fn seconds(value: &Value) -> i64 {
    value.as_f64().unwrap() as i64
}

/// CBOR as the SDK writes it; tags are left out.
fn parse(input: &mut &[u8]) -> Value {
    let first = take(input, 1)[0];
    let (major, info) = (first >> 5, first & 31);
    if major == 7 {
        return match info {
            20 => Value::Bool(false),
            21 => Value::Bool(true),
            26 => f64::from(f32::from_be_bytes(take(input, 4).try_into().unwrap())).into(),
            27 => f64::from_be_bytes(take(input, 8).try_into().unwrap()).into(),
            _ => Value::Null,
        };
    }
    let length = match info {
        0..24 => Some(u64::from(info)),
        24..28 => {
            let bytes = take(input, 1 << (info - 24));
            Some(bytes.iter().fold(0, |n, byte| n << 8 | u64::from(*byte)))
        }
        _ => None,
    };
    let ends = |input: &mut &[u8], read: u64| match length {
        Some(length) => read == length,
        None => input[0] == 0xFF && !take(input, 1).is_empty(),
    };
    match major {
        0 => length.unwrap().into(),
        1 => (-1 - length.unwrap() as i64).into(),
        2 | 3 => {
            let bytes = take(input, length.unwrap() as usize);
            String::from_utf8(bytes.to_vec()).unwrap().into()
        }
        4 => {
            let mut list = Vec::new();
            while !ends(input, list.len() as u64) {
                list.push(parse(input));
            }
            list.into()
        }
        5 => {
            let (mut map, mut read) = (serde_json::Map::new(), 0);
            while !ends(input, read) {
                let key = parse(input).as_str().unwrap().to_owned();
                map.insert(key, parse(input));
                read += 1;
            }
            map.into()
        }
        _ => parse(input),
    }
}

fn take<'a>(input: &mut &'a [u8], n: usize) -> &'a [u8] {
    let (taken, rest) = input.split_at(n);
    *input = rest;
    taken
}
