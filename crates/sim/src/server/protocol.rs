//! Which protocol a request speaks, what it asks for, and how an answer is spelled in it.

use axum::body::Body;
use axum::response::Response;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use serde_json::{Map, Value, json};

use super::error::WireError;
use super::{cbor, query};
use setpoint_core::ports::Service;

/// How a request and its answer are spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    /// AWS JSON 1.0: CloudWatch.
    Json10,
    /// AWS JSON 1.1: Application Auto Scaling, SageMaker, the Resource Groups Tagging API and CloudTrail.
    Json11,
    /// Smithy RPC v2 CBOR: CloudWatch.
    Cbor,
    /// AWS Query: STS, and CloudWatch for older clients.
    Query,
}

/// What a request asks for.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Call {
    /// Of whom.
    pub(super) service: Service,
    /// AWS's operation name.
    pub(super) operation: String,
    pub(super) input: Value,
}

/// The prefix of `X-Amz-Target` of CloudTrail.
const CLOUDTRAIL: &str = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.";
/// The prefix of `X-Amz-Target`, or the service in the path of RPC v2, of CloudWatch.
const CLOUDWATCH: &str = "GraniteServiceVersion20100801";

/// Where a request goes, known before its body is read.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Route {
    Named { service: Service, operation: String },
    InTheForm,
}

/// The protocol of a request, or the error that an unknown one gets (in JSON, as AWS does).
pub(super) fn detect(method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<Reader, WireError> {
    let of = |protocol, service, operation: &str| Reader {
        protocol,
        route: Route::Named { service, operation: operation.to_owned() },
    };
    if method != Method::POST {
        return Err(unknown(&format!("{method} {} (every operation is a POST)", uri.path())));
    }
    if let Some(operation) = rpc_operation(uri.path()) {
        let spoken = text(headers, "smithy-protocol").unwrap_or("none");
        if spoken != "rpc-v2-cbor" {
            return Err(unknown(&format!("smithy-protocol {spoken:?} (allowed: rpc-v2-cbor)")));
        }
        return Ok(of(Protocol::Cbor, Service::CloudWatch, operation));
    }
    if uri.path() != "/" {
        return Err(unknown(&format!("the path {}", uri.path())));
    }
    if let Some(target) = text(headers, "x-amz-target") {
        let (prefix, operation) = target.split_once('.').unwrap_or((target, ""));
        return match prefix {
            "AnyScaleFrontendService" => {
                Ok(of(Protocol::Json11, Service::ApplicationAutoScaling, operation))
            }
            "SageMaker" => Ok(of(Protocol::Json11, Service::SageMaker, operation)),
            "ResourceGroupsTaggingAPI_20170126" => {
                Ok(of(Protocol::Json11, Service::Tagging, operation))
            }
            // The name has dots of its own.
            "com" => Ok(of(
                Protocol::Json11,
                Service::CloudTrail,
                target.strip_prefix(CLOUDTRAIL).unwrap_or(target),
            )),
            CLOUDWATCH => Ok(of(Protocol::Json10, Service::CloudWatch, operation)),
            _ => Err(unknown(&format!("X-Amz-Target {target}"))),
        };
    }
    let content_type = text(headers, "content-type").unwrap_or("none");
    if content_type.starts_with("application/x-www-form-urlencoded") {
        return Ok(Reader { protocol: Protocol::Query, route: Route::InTheForm });
    }
    Err(unknown(&format!("a request without X-Amz-Target and with content type {content_type}")))
}

fn rpc_operation(path: &str) -> Option<&str> {
    path.strip_prefix("/service/")?.strip_prefix(CLOUDWATCH)?.strip_prefix("/operation/")
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn unknown(what: &str) -> WireError {
    WireError::new(
        StatusCode::NOT_FOUND,
        "UnknownOperationException",
        format!(
            "the embedded AWS does not know {what}; it speaks AWS JSON 1.1 (Application Auto \
             Scaling, SageMaker, Resource Groups Tagging, CloudTrail), RPC v2 CBOR, JSON 1.0 and Query (CloudWatch) and Query (STS)"
        ),
    )
}

/// Reads the body of a request whose protocol is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reader {
    pub(super) protocol: Protocol,
    route: Route,
}

impl Reader {
    /// The service that refuses when the body cannot be read; a form is most likely for STS.
    pub(super) const fn service(&self) -> Service {
        match self.route {
            Route::Named { service, .. } => service,
            Route::InTheForm => Service::Sts,
        }
    }

    /// Decodes the body.
    ///
    /// # Errors
    /// `SerializationException` for a body that the protocol does not allow; for a form, a missing
    /// or unknown `Version` or `Action` too.
    pub(super) fn read(self, body: &[u8]) -> Result<Call, WireError> {
        match (self.route, self.protocol) {
            (Route::InTheForm, _) => call_of_form(query::decode(body)?),
            (Route::Named { service, operation }, Protocol::Cbor) => {
                Ok(Call { service, operation, input: cbor::decode(body)? })
            }
            (Route::Named { service, operation }, _) => {
                Ok(Call { service, operation, input: json_body(body)? })
            }
        }
    }
}

/// An AWS JSON body; an empty one is an empty structure.
fn json_body(body: &[u8]) -> Result<Value, WireError> {
    if body.is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    match serde_json::from_slice(body) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(_) => Err(WireError::serialization("the body is not a JSON object")),
        Err(error) => Err(WireError::serialization(format!("the body is not JSON: {error}"))),
    }
}

fn call_of_form(input: Map<String, Value>) -> Result<Call, WireError> {
    let field = |name| input.get(name).and_then(Value::as_str);
    let Some(operation) = field("Action").map(str::to_owned) else {
        return Err(WireError::client("MissingAction", "the form has no Action"));
    };
    let service = match field("Version") {
        Some(STS_VERSION) => Service::Sts,
        Some(CLOUDWATCH_VERSION) => Service::CloudWatch,
        found => {
            return Err(WireError::client(
                "InvalidAction",
                format!(
                    "Version {found:?} with Action {operation} (allowed: {STS_VERSION} for STS, \
                     {CLOUDWATCH_VERSION} for CloudWatch)"
                ),
            ));
        }
    };
    Ok(Call { service, operation, input: Value::Object(input) })
}

const STS_VERSION: &str = "2011-06-15";
const CLOUDWATCH_VERSION: &str = "2010-08-01";

/// The XML namespace of a service's Query answers.
const fn xml_namespace(service: Service) -> &'static str {
    match service {
        Service::CloudWatch => "http://monitoring.amazonaws.com/doc/2010-08-01/",
        _ => "https://sts.amazonaws.com/doc/2011-06-15/",
    }
}

/// Spells the answer of an operation.
pub(super) fn answer(
    protocol: Protocol,
    service: Service,
    operation: &str,
    request_id: &str,
    output: &Value,
) -> Response {
    let body = match protocol {
        Protocol::Json10 | Protocol::Json11 => output.to_string().into_bytes(),
        Protocol::Cbor => cbor::encode(output),
        Protocol::Query => query::encode(operation, xml_namespace(service), request_id, output),
    };
    response(protocol, StatusCode::OK, request_id, body)
}

/// Spells an error.
pub(super) fn refusal(
    protocol: Protocol,
    service: Service,
    request_id: &str,
    error: &WireError,
) -> Response {
    // SageMaker and CloudWatch spell the member in lower case, Application Auto Scaling does not.
    let message = if service == Service::ApplicationAutoScaling { "Message" } else { "message" };
    let typed = |code: &str| json!({"__type": code, message: error.message()});
    let body = match protocol {
        Protocol::Json10 | Protocol::Json11 => typed(error.code()).to_string().into_bytes(),
        Protocol::Cbor => {
            cbor::encode(&typed(&format!("com.amazonaws.cloudwatch#{}", error.code())))
        }
        Protocol::Query => query::encode_error(xml_namespace(service), request_id, error),
    };
    let mut response = response(protocol, error.status(), request_id, body);
    if protocol != Protocol::Query {
        insert(&mut response, "x-amzn-errortype", error.code());
    }
    if service == Service::CloudWatch {
        let query_error = format!("{};{}", error.query_code(), error.fault());
        insert(&mut response, "x-amzn-query-error", &query_error);
    }
    response
}

/// An answer of the right kind that cannot be read.
pub(super) fn garbage(protocol: Protocol, request_id: &str, body: String) -> Response {
    response(protocol, StatusCode::OK, request_id, body.into_bytes())
}

fn response(protocol: Protocol, status: StatusCode, request_id: &str, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let content_type = match protocol {
        Protocol::Json10 => "application/x-amz-json-1.0",
        Protocol::Json11 => "application/x-amz-json-1.1",
        Protocol::Cbor => "application/cbor",
        Protocol::Query => "text/xml",
    };
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    insert(&mut response, "x-amzn-requestid", request_id);
    if protocol == Protocol::Cbor {
        insert(&mut response, "smithy-protocol", "rpc-v2-cbor");
    }
    response
}

fn insert(response: &mut Response, name: &'static str, value: &str) {
    // Codes and ids are ASCII; a value that a header cannot carry is left out.
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}
