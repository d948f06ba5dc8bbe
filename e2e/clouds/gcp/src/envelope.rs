//! Google's error envelope.

use serde_json::{Value, json};

use crate::request::Answer;

/// An error without details.
pub fn error(status: u16, name: &str, message: &str) -> Answer {
    Answer { status, body: json!({"error": {"code": status, "message": message, "status": name}}), ..Answer::default() }
}

/// An error with details.
pub fn detailed(status: u16, name: &str, message: &str, details: Vec<Value>) -> Answer {
    let mut answer = error(status, name, message);
    answer.body["error"]["details"] = details.into();
    answer
}

/// The detail that says why.
pub fn info(reason: &str, domain: &str, metadata: Value) -> Value {
    json!({"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": domain, "metadata": metadata})
}

/// The detail that says when to come again.
pub fn retry_info(delay: &str) -> Value {
    json!({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay})
}

/// A refusal for want of a permission.
pub fn denied(permission: &str, resource: &str) -> Answer {
    let message = format!("Permission '{permission}' denied on resource '//{resource}' (or it may not exist).");
    let detail = info("IAM_PERMISSION_DENIED", "iam.googleapis.com", json!({"permission": permission, "resource": resource}));
    detailed(403, "PERMISSION_DENIED", &message, vec![detail])
}

/// A refusal for want of a usable token.
pub fn unauthenticated(reason: &str) -> Answer {
    let message = "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid \
                   authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.";
    detailed(401, "UNAUTHENTICATED", message, vec![info(reason, "googleapis.com", json!({"service": "googleapis.com"}))])
}

/// A request that makes no sense.
pub fn invalid(message: &str) -> Answer {
    error(400, "INVALID_ARGUMENT", message)
}

/// An API that is off in the project that pays.
pub fn disabled(service: &str, consumer: &str) -> Answer {
    let project = consumer.rsplit('/').next().unwrap_or(consumer);
    let message = format!(
        "{service} has not been used in project {project} before or it is disabled. Enable it by visiting \
         https://console.developers.google.com/apis/api/{service}/overview?project={project} then retry."
    );
    let metadata = json!({"service": service, "consumer": consumer, "serviceTitle": service, "containerInfo": project});
    detailed(403, "PERMISSION_DENIED", &message, vec![info("SERVICE_DISABLED", "googleapis.com", metadata)])
}

/// A quota that is used up.
pub fn exhausted(consumer: &str, unit: &str, delay: Option<&str>) -> Answer {
    let metadata = json!({
        "service": "cloudasset.googleapis.com", "consumer": consumer, "quota_unit": unit, "quota_limit": "SearchAllResourcesPerProject",
        "quota_metric": "cloudasset.googleapis.com/search_all_resources_requests", "quota_limit_value": "400", "quota_location": "global",
    });
    let mut details = vec![info("RATE_LIMIT_EXCEEDED", "googleapis.com", metadata)];
    details.extend(delay.map(retry_info));
    let message = format!(
        "Quota exceeded for quota metric 'Search all resources requests' of service 'cloudasset.googleapis.com' for consumer '{consumer}'."
    );
    detailed(429, "RESOURCE_EXHAUSTED", &message, details)
}
