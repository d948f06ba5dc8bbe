//! Answers that are whole: the SDK's reader of XML takes an answer that ends in its middle for a short one, and a list that was cut off for one that has
//! ended. So the end of every such answer is looked at before the SDK reads it.

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;

/// Longest answer in XML, in bytes: a thousand machines have about five MiB.
const MAX_ANSWER: usize = 64 << 20;

/// A client that passes on whole answers only.
#[derive(Debug)]
pub struct WholeAnswers(pub SharedHttpClient);

#[derive(Debug)]
struct Connector(SharedHttpConnector);

impl HttpClient for WholeAnswers {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(Connector(self.0.http_connector(settings, components)))
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let answer = self.0.call(request);
        HttpConnectorFuture::new(async move { whole(answer.await?).await })
    }
}

async fn whole(mut response: HttpResponse) -> Result<HttpResponse, ConnectorError> {
    let is_xml = response.headers().get("content-type").is_some_and(|kind| kind.contains("xml"));
    if !is_xml {
        return Ok(response);
    }
    let body = std::mem::replace(response.body_mut(), SdkBody::taken());
    let bytes = bounded(body, MAX_ANSWER).await?;
    if !is_whole(&String::from_utf8_lossy(&bytes)) {
        return Err(ConnectorError::io("the answer is cut off in its middle".into()));
    }
    *response.body_mut() = SdkBody::from(bytes);
    Ok(response)
}

/// A body that is held whole, up to a bound.
async fn bounded(body: SdkBody, most: usize) -> Result<Vec<u8>, ConnectorError> {
    let (mut stream, mut bytes) = (ByteStream::new(body), Vec::new());
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|error| ConnectorError::io(error.into()))?;
        if bytes.len() + chunk.len() > most {
            return Err(ConnectorError::io(format!("the answer has more than {most} bytes").into()));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// Whether a text in XML ends with the end of its outermost element. An empty answer has none.
fn is_whole(text: &str) -> bool {
    let mut rest = text.trim();
    while let Some(inside) = rest.strip_prefix("<?").or_else(|| rest.strip_prefix("<!")) {
        let Some(end) = inside.find('>') else { return false };
        rest = inside[end + 1..].trim_start();
    }
    if rest.is_empty() {
        return text.trim().is_empty();
    }
    let name = rest.strip_prefix('<').and_then(|rest| rest.split([' ', '>', '/', '\n', '\t', '\r']).next()).unwrap_or_default();
    let is_single = rest.ends_with("/>") && !rest[1..].contains('<');
    !name.is_empty() && (is_single || rest.ends_with(&format!("</{name}>")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// L4: an answer is held whole, so it has an end.
    #[tokio::test]
    async fn an_answer_without_end_is_none() {
        let body = || SdkBody::from("<R>1234567</R>");
        assert_eq!(bounded(body(), 14).await.unwrap(), b"<R>1234567</R>");
        assert!(bounded(body(), 13).await.is_err() && bounded(SdkBody::empty(), 0).await.unwrap().is_empty());
    }

    #[test]
    fn an_answer_that_ends_in_its_middle_is_none() {
        let whole = "<?xml version=\"1.0\"?>\n<R xmlns=\"http://x/\">\n<set><item>1</item></set></R>\n";
        assert!(is_whole(whole) && is_whole("") && is_whole("<R/>") && is_whole("<R a=\"1\"/>"));
        for end in (1..whole.trim_end().len()).filter(|end| whole.is_char_boundary(*end)) {
            assert!(!is_whole(&whole[..end]), "{}", &whole[..end]);
        }
    }
}
