//! The simulator refuses what Azure would refuse, and the judge finds what is wrong. A client that is not the adapter asks here.

use std::collections::BTreeMap;

use caretaker_arm_simulator::world::{Application, DELEGATION_DELETE, Delegation, READER, Subscription};
use caretaker_arm_simulator::{AUDIENCE, Exchange, Simulator, World, judge};
use reqwest::Client;
use serde_json::{Map, Value, json};

const PROVIDER: &str = "aaaaaaaa-0000-4000-8000-00000000000f";
const CLIENT: &str = "bbbbbbbb-0000-4000-8000-00000000000f";
const SUBSCRIPTION: &str = "cccccccc-0000-4000-8000-00000000000f";
const GRAPH: &str = "/providers/Microsoft.ResourceGraph/resources?api-version=2021-03-01";

async fn start() -> (Simulator, Client) {
    let application = |tenant: &str| Application {
        tenant_id: tenant.into(),
        client_id: "app".into(),
        object_id: format!("object-of-{tenant}"),
        secret: Some("right".into()),
        federation: None,
    };
    let authorizations = [READER, DELEGATION_DELETE].map(|role| (format!("object-of-{PROVIDER}"), role.to_owned())).to_vec();
    let delegation = Delegation { name: "99999999-0000-4000-8000-00000000000f".into(), tenant_id: PROVIDER.into(), authorizations };
    let resources = (0..1500).map(|number| json!({"id": format!("{number:04}"), "type": "a/b", "location": "x"})).collect();
    let subscription = Subscription { tenant_id: CLIENT.into(), delegations: vec![delegation], resources, ..Subscription::default() };
    let world = World {
        applications: vec![application(PROVIDER), application("other")],
        subscriptions: BTreeMap::from([(SUBSCRIPTION.to_owned(), subscription)]),
        ..World::default()
    };
    let simulator = Simulator::start(world).await.expect("a simulator");
    let ca = reqwest::Certificate::from_pem(simulator.ca_pem().as_bytes()).expect("a certificate");
    let client = Client::builder().tls_certs_only([ca]).build().expect("a client");
    (simulator, client)
}

async fn token(simulator: &Simulator, client: &Client, tenant: &str, secret: &str) -> Result<String, (u16, Value)> {
    let body = format!("grant_type=client_credentials&client_id=app&client_secret={secret}&scope={AUDIENCE}%2F.default");
    let request = client.post(format!("{}/{tenant}/oauth2/v2.0/token", simulator.url())).body(body);
    let response = request.header("content-type", "application/x-www-form-urlencoded").send().await.expect("an answer");
    let status = response.status().as_u16();
    let body: Value = response.json().await.expect("JSON");
    match body["access_token"].as_str() {
        Some(token) => Ok(token.to_owned()),
        None => Err((status, body)),
    }
}

async fn get(simulator: &Simulator, client: &Client, path: &str, token: Option<&str>) -> (u16, String) {
    let mut request = client.get(format!("{}{path}", simulator.url()));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    outcome(request.send().await.expect("an answer")).await
}

async fn outcome(response: reqwest::Response) -> (u16, String) {
    let status = response.status().as_u16();
    let body: Value = response.json().await.expect("JSON");
    (status, body["error"]["code"].as_str().unwrap_or_default().to_owned())
}

fn shown(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn it_listens_on_this_machine_only_and_under_its_own_ca_only() {
    let (simulator, _) = start().await;
    assert!(simulator.url().starts_with("https://127.0.0.1:"));
    let stranger = Client::new().get(simulator.url()).send().await;
    assert!(stranger.is_err(), "nobody else trusts its CA");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_get_in_does_not() {
    let (simulator, client) = start().await;
    for (tenant, secret) in [(PROVIDER, "wrong"), (PROVIDER, ""), ("unknown", "right")] {
        let (status, body) = token(&simulator, &client, tenant, secret).await.expect_err("it is refused");
        assert!(status >= 400 && body["error_codes"][0].is_u64(), "{body}");
    }
    let right = token(&simulator, &client, PROVIDER, "right").await.expect("it is right");
    let other = token(&simulator, &client, "other", "right").await.expect("it is right");
    let path = format!("/subscriptions/{SUBSCRIPTION}?api-version=2021-01-01");
    assert_eq!(get(&simulator, &client, &path, None).await, shown(401, "AuthenticationFailed"));
    assert_eq!(get(&simulator, &client, &path, Some("garbage")).await, shown(401, "InvalidAuthenticationToken"));
    assert_eq!(get(&simulator, &client, &path, Some(&other)).await, shown(404, "SubscriptionNotFound"));
    assert_eq!(get(&simulator, &client, &path, Some(&right)).await, shown(200, ""));
    simulator.change(|world| world.tokens.values_mut().for_each(|issued| issued.until = std::time::Instant::now()));
    assert_eq!(get(&simulator, &client, &path, Some(&right)).await, shown(401, "ExpiredAuthenticationToken"));
    judge::judge(&simulator.exchanges()).expect("refusals have Azure's form as well");
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_and_calls_that_are_not_served_are_refused() {
    let (simulator, client) = start().await;
    let token = token(&simulator, &client, PROVIDER, "right").await.expect("it is right");
    for (path, expected) in [
        (format!("/subscriptions/{SUBSCRIPTION}"), shown(400, "MissingApiVersionParameter")),
        (format!("/subscriptions/{SUBSCRIPTION}?api-version=2020-01-01"), shown(400, "InvalidApiVersionParameter")),
        (
            format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Storage/storageAccounts?api-version=1"),
            shown(404, "InvalidResourceType"),
        ),
    ] {
        assert_eq!(get(&simulator, &client, &path, Some(&token)).await, expected, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn resource_graph_keeps_its_own_rules() {
    let (simulator, client) = start().await;
    let token = token(&simulator, &client, PROVIDER, "right").await.expect("it is right");
    let ask = |query: &str, options: Value| {
        let body = json!({"subscriptions": [SUBSCRIPTION], "query": query, "options": options});
        client.post(format!("{}{GRAPH}", simulator.url())).bearer_auth(&token).json(&body).send()
    };
    for (query, options) in
        [("resources | take 1", json!({})), ("resources", json!({"$top": 1001})), ("resources", json!({"$skipToken": "made up"}))]
    {
        assert_eq!(outcome(ask(query, options).await.expect("an answer")).await, shown(400, "BadRequest"), "{query}");
    }
    let page = async |query: &str, options: Value| -> Value { ask(query, options).await.expect("an answer").json().await.expect("JSON") };
    assert_eq!(page("resources", json!({})).await["count"], 100, "100 rows where no number is asked for");
    let first = page("resources | project id | order by id asc", json!({"$top": 1000})).await;
    assert_eq!((&first["count"], &first["resultTruncated"], &first["totalRecords"]), (&json!(1000), &json!("true"), &json!(1500)));
    let next = page("resources | project id | order by id asc", json!({"$top": 1000, "$skipToken": first["$skipToken"]})).await;
    assert_eq!((&next["count"], &next["data"][0]["id"], next.get("$skipToken")), (&json!(500), &json!("1000"), None));
    let without_id = page("resources | project type", json!({"$top": 1000})).await;
    assert_eq!((without_id.get("$skipToken"), &without_id["resultTruncated"]), (None, &json!("true")), "no token without the id");
    let found = judge::violations(&simulator.exchanges()).expect("a verdict");
    assert!(found.len() == 1 && found[0].contains("greater than maximum 1000"), "the judge found our own wrong question only: {found:?}");
}

/// An exchange that is right, as far as `change` leaves it so.
fn exchange(change: impl FnOnce(&mut Exchange)) -> Exchange {
    let headers: Map<String, Value> = [("content-type".to_owned(), json!("application/json"))].into_iter().collect();
    let mut exchange = Exchange {
        method: "POST".into(),
        url: GRAPH.into(),
        request_headers: headers.clone(),
        request_body: json!({"subscriptions": [SUBSCRIPTION], "query": "resources"}),
        status: 200,
        response_headers: headers,
        response_body: json!({"totalRecords": 0, "count": 0, "resultTruncated": "false", "data": []}),
    };
    change(&mut exchange);
    exchange
}

#[test]
fn the_judge_finds_what_is_wrong_on_either_side() {
    let right = exchange(|_| {});
    assert_eq!(judge::violations(std::slice::from_ref(&right)).expect("a verdict"), Vec::<String>::new());
    let wrong = [
        (exchange(|it| it.request_body = json!({"subscriptions": [SUBSCRIPTION]})), "request", "query"),
        (exchange(|it| it.response_body["resultTruncated"] = false.into()), "response", "resultTruncated"),
        (
            exchange(|it| it.url = "/providers/Microsoft.ResourceGraph/resources?api-version=1999-01-01".into()),
            "request",
            "OPERATION_NOT_FOUND",
        ),
        (exchange(|it| it.url = "/nowhere?api-version=2021-03-01".into()), "request", "OPERATION_NOT_FOUND"),
    ];
    for (wrong, side, what) in wrong {
        let found = judge::violations(&[right.clone(), wrong]).expect("a verdict");
        assert!(found.iter().any(|line| line.contains(&format!("\"side\":\"{side}\"")) && line.contains(what)), "{what}: {found:?}");
        assert!(found.iter().all(|line| line.contains("\"number\":1")), "and blames no other: {found:?}");
    }
}
