//! AWS error codes as classes that a caller can act on.

use std::error::Error;
use std::time::Duration;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use caretaker_cloud::{CellKey, CloudError, EVERYWHERE, ErrorClass, Verdict, verdict_of, verdict_with};

use crate::proxies::ProxyFault;

/// The class of an error code. Source: the error tables of the services' API references.
pub fn class_of(code: &str) -> ErrorClass {
    match code {
        "AccessDenied"
        | "AccessDeniedException"
        | "UnauthorizedOperation"
        | "AuthFailure"
        | "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "SignatureDoesNotMatch"
        | "InvalidSignatureException"
        | "Client.UnauthorizedOperation" => ErrorClass::Denied,
        "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "RequestLimitExceeded"
        | "TooManyRequestsException"
        | "RequestThrottled"
        | "SlowDown"
        | "PriorRequestNotComplete" => ErrorClass::Throttled(None),
        "ExpiredToken" | "ExpiredTokenException" | "RequestExpired" => ErrorClass::Expired,
        "OptInRequired" | "RegionDisabledException" | "SubscriptionRequiredException" => ErrorClass::NotEnabled,
        // Of IAM and AWS Backup this is a quota of the account, not a rate: waiting does not help.
        "LimitExceeded" | "LimitExceededException" => ErrorClass::Quota,
        "NoSuchEntity" | "ResourceNotFoundException" => ErrorClass::NotFound,
        "AlreadyExistsException" | "EntityAlreadyExists" | "ConflictException" | "DeleteConflict" => ErrorClass::Conflict,
        "InternalError"
        | "InternalFailure"
        | "InternalServerError"
        | "InternalServerException"
        | "InternalServerErrorException"
        | "ServiceUnavailable"
        | "ServiceUnavailableException"
        | "Unavailable"
        | "ServiceException" => ErrorClass::Unreachable,
        _ => ErrorClass::Invalid,
    }
}

/// The error of a call.
pub fn classify<E>(operation: &str, error: &SdkError<E, HttpResponse>) -> CloudError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match error {
        SdkError::ServiceError(service) => {
            let meta = service.err().meta();
            let code = meta.code().unwrap_or_default();
            let status = service.raw().status().as_u16();
            let class = match (class_of(code), status) {
                (ErrorClass::Throttled(_), _) => ErrorClass::Throttled(retry_after(service.raw())),
                (ErrorClass::Invalid, 429) => ErrorClass::Throttled(retry_after(service.raw())),
                (ErrorClass::Invalid, 500..) => ErrorClass::Unreachable,
                (ErrorClass::Invalid, 401 | 403) => ErrorClass::Denied,
                (class, _) => class,
            };
            let message = meta.message().map_or_else(|| format!("HTTP status {status}"), str::to_owned);
            CloudError::new(class, operation, format!("{code}: {message}")).with_code(code)
        }
        // A request that could not be built for want of credentials is our own fault, not the client's. Every other one is of this account alone, such as a
        // region that cannot be part of a host's name.
        SdkError::ConstructionFailure(_) => {
            if let Some(fault) = among_causes::<ProxyFault>(error) {
                return CloudError::at_own_proxy(operation, fault.to_string());
            }
            let class = if among_causes::<CredentialsError>(error).is_some() { ErrorClass::Credentials } else { ErrorClass::Invalid };
            CloudError::new(class, operation, words(error))
        }
        _ => match among_causes::<ProxyFault>(error) {
            Some(fault) => CloudError::at_own_proxy(operation, fault.to_string()),
            None => CloudError::new(ErrorClass::Unreachable, operation, words(error)),
        },
    }
}

/// A cause of this type.
fn among_causes<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut cause = Some(error);
    while let Some(inner) = cause {
        if let Some(found) = inner.downcast_ref() {
            return Some(found);
        }
        cause = inner.source();
    }
    None
}

/// The error and its causes, in the words that are for people. In the form for debugging an answer that could not be read stands as it came: that of
/// `sts:AssumeRole` holds keys.
fn words(error: &dyn Error) -> String {
    let (mut text, mut cause) = (error.to_string(), error.source());
    while let Some(inner) = cause {
        text.push_str(&format!(": {inner}"));
        cause = inner.source();
    }
    text
}

/// What an error means for the cell that was being read: its verdict, the cause for a person, and the wait in seconds that AWS asked for.
#[must_use]
pub fn verdict(error: &CloudError, key: &CellKey, assets: u64) -> (Verdict, String, Option<u64>) {
    // These speak of the session, which every other region takes: no permission cures them.
    let is_session = matches!(error.code.as_str(), "AuthFailure" | "InvalidClientTokenId" | "UnrecognizedClientException");
    if error.class == ErrorClass::Denied && is_session && key.region != EVERYWHERE {
        let cure = format!("{} does not take our session: enable the region in this account, or leave it out of the spec", key.region);
        return verdict_with(error, key, assets, Some(cure));
    }
    verdict_of(error, key, assets)
}

fn retry_after(response: &HttpResponse) -> Option<Duration> {
    response.headers().get("retry-after").and_then(|value| value.trim().parse().ok()).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use aws_sdk_sts::operation::assume_role::AssumeRoleError;
    use aws_smithy_runtime_api::client::result::ConnectorError;
    use aws_smithy_types::body::SdkBody;

    use super::*;

    #[test]
    fn an_answer_that_cannot_be_read_is_shown_to_nobody() {
        const SECRET: &str = "<SecretAccessKey>wJalrXUtnFEMI</SecretAccessKey>";
        let raw = || HttpResponse::new(200.try_into().expect("a status"), SdkBody::from(SECRET));
        let cause = || std::io::Error::other("unexpected end of the document");
        let unhandled = AssumeRoleError::unhandled(cause());
        let errors: [SdkError<AssumeRoleError, HttpResponse>; 4] = [
            SdkError::response_error(cause(), raw()),
            SdkError::service_error(unhandled, raw()),
            SdkError::timeout_error(cause()),
            SdkError::construction_failure(cause()),
        ];
        for (index, error) in errors.iter().enumerate() {
            let shown = classify("sts:AssumeRole", error);
            assert!(!shown.to_string().contains("wJalr") && !format!("{shown:?}").contains("wJalr"), "{shown:?}");
            assert!(index == 1 || shown.message.ends_with(": unexpected end of the document"), "the cause is told: {shown}");
        }
    }

    /// T8: a client's typing error must not be told as the provider's fault.
    #[test]
    fn a_request_that_cannot_be_built_is_the_provider_s_fault_for_want_of_credentials_only() {
        let class = |error: SdkError<AssumeRoleError, HttpResponse>| classify("sts:AssumeRole", &error).class;
        let host = std::io::Error::other("region: must be a valid host label");
        assert_eq!(class(SdkError::construction_failure(host)), ErrorClass::Invalid);
        let missing = CredentialsError::not_loaded("no provider in the chain");
        assert_eq!(class(SdkError::construction_failure(missing)), ErrorClass::Credentials);
    }

    #[test]
    fn a_proxy_of_ours_is_told_apart_from_a_cloud_that_does_not_answer() {
        let told = |error: SdkError<AssumeRoleError, HttpResponse>| classify("sts:AssumeRole", &error);
        let fault = || Box::new(ProxyFault("the proxy http://p:1 takes no connection".into()));
        let dead = told(SdkError::dispatch_failure(ConnectorError::other(fault(), None)));
        assert!(dead.is_at_own_proxy() && dead.class == ErrorClass::Unreachable && dead.message.contains("http://p:1"), "{dead:?}");
        let silent = told(SdkError::dispatch_failure(ConnectorError::io("no route".into())));
        assert!(!silent.is_at_own_proxy() && silent.class == ErrorClass::Unreachable, "{silent:?}");
    }

    #[test]
    fn codes_that_look_alike_are_told_apart() {
        assert_eq!(class_of("LimitExceededException"), ErrorClass::Quota, "a quota of IAM or Backup is not a rate");
        assert_eq!(class_of("RequestLimitExceeded"), ErrorClass::Throttled(None));
        assert_eq!(class_of("InternalServerErrorException"), ErrorClass::Unreachable, "AWS uses both spellings");
        assert_eq!(class_of("InternalServerException"), ErrorClass::Unreachable);
        assert_eq!(class_of("OptInRequired"), ErrorClass::NotEnabled);
        assert_eq!(class_of("UnauthorizedOperation"), ErrorClass::Denied);
    }
}
