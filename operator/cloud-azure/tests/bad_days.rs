//! Discovery on the simulator on bad days: each ends in the right verdict, and in no absence that is not one. Emulated: nothing here was
//! proved against Azure.

mod common;

use std::time::Duration;

use caretaker_arm_simulator::limits::Limits;
use caretaker_arm_simulator::seed::Place;
use caretaker_arm_simulator::world::{GraphFault, Refusal};
use caretaker_cloud::budget::{Budgets, Key};
use caretaker_cloud::{AccessGrant, AzureGrant, CloudConnector, ErrorClass, Presented, Purpose, Scope, Verdict};
use caretaker_cloud_azure::{AzureConfig, AzureConnector, QUERIES_PER_SECOND};
use common::{Gathered, SUBSCRIPTION, Stage, delegated, gather, grant, machines, resource};

/// Part of the query of the cell of machines, and of no other.
const MACHINES: &str = "where type in~ ('microsoft.compute/virtualmachines'";
/// Where Resource Graph is.
const GRAPH: &str = "Microsoft.ResourceGraph";

async fn pages(fault: Option<GraphFault>) -> (Stage, Gathered) {
    let stage = Stage::with(machines(6)).await;
    stage.simulator.change(|world| {
        world.page_rows = 2;
        world.graph_fault = fault;
    });
    let gathered = stage.discover().await;
    (stage, gathered)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_is_cut_off_is_partial_with_both_numbers() {
    let (_stage, gathered) = pages(Some(GraphFault::TruncatedWithoutToken)).await;
    let cell = gathered.cell("compute");
    assert_eq!((cell.verdict, cell.assets), (Verdict::Partial, 2));
    assert!(cell.cause.contains("2 of 6"), "{}", cell.cause);
    assert_eq!(gathered.others(&["compute"]), [Verdict::Complete; 11], "what is empty is not cut off");
}

#[tokio::test(flavor = "multi_thread")]
async fn fewer_rows_than_the_total_are_partial() {
    let (_stage, gathered) = pages(Some(GraphFault::ShortOfTotal)).await;
    let cell = gathered.cell("compute");
    assert_eq!((cell.verdict, cell.assets), (Verdict::Partial, 6));
    assert!(cell.cause.contains("6 of 7"), "{}", cell.cause);
    assert_eq!(gathered.others(&[]), [Verdict::Partial; 12], "an empty list that should hold one row is no empty list");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_token_ends_the_list() {
    let (stage, gathered) = pages(Some(GraphFault::RepeatedToken)).await;
    let cell = gathered.cell("compute");
    assert_eq!((cell.verdict, cell.assets, cell.calls), (Verdict::Partial, 4, 3));
    assert!(cell.cause.contains("repeated"), "{}", cell.cause);
    assert!(stage.queries().len() < 20, "it is not read for ever");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_cut_off_in_the_middle_is_partial() {
    let (_stage, gathered) = pages(Some(GraphFault::BrokenJson)).await;
    let cell = gathered.cell("compute");
    assert_eq!((cell.verdict, cell.assets), (Verdict::Partial, 2), "{cell:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_without_their_addresses_are_told_and_no_complete_cell() {
    let place = Place { subscription: SUBSCRIPTION, group: "prod", location: "westeurope" };
    let rows = || (0..5).flat_map(|number| place.running(&format!("vm-{number}"), number)).collect();
    let addresses = "where type in~ ('microsoft.network/networkinterfaces', 'microsoft.network/publicipaddresses')";
    let stage = Stage::with(rows()).await;
    stage.simulator.change(|world| {
        world.page_rows = 2;
        (world.graph_fault, world.graph_fault_on) = (Some(GraphFault::TruncatedWithoutToken), addresses.into());
    });
    let gathered = stage.discover().await;
    let cell = gathered.cell("compute");
    assert_eq!((cell.verdict, cell.assets), (Verdict::Partial, 5), "{cell:?}");
    assert!(cell.cause.contains("2 of 5"), "{}", cell.cause);
    assert_eq!(gathered.others(&["compute"]), [Verdict::Complete; 11]);
    let stage = Stage::with(rows()).await;
    stage.rule(GRAPH, addresses, Refusal::Denied, (0, None));
    let cell = stage.discover().await.cell("compute").clone();
    assert_eq!((cell.verdict, cell.assets, cell.calls), (Verdict::Denied, 0, 1), "nothing is asked again of who refuses");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denied_cell_loses_no_other() {
    let stage = Stage::with(vec![resource("Microsoft.Compute/disks", "d", "westeurope")]).await;
    stage.rule(GRAPH, MACHINES, Refusal::Denied, (0, None));
    let gathered = stage.discover().await;
    let cell = gathered.cell("compute");
    assert_eq!((cell.verdict, cell.calls), (Verdict::Denied, 2), "it is not tried again after the addresses");
    assert!(cell.cause.contains(SUBSCRIPTION) && cell.cause.contains("Microsoft.ResourceGraph/resources/read"), "{}", cell.cause);
    assert_eq!(gathered.others(&["compute"]), [Verdict::Complete; 11]);
    assert_eq!(gathered.assets.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_is_obeyed_over_the_remaining_quota_and_other_subscriptions_go_on() {
    let stage = Stage::with(machines(1)).await;
    let other = "cccccccc-0000-4000-8000-000000000001";
    stage.simulator.change(|world| world.subscriptions.insert(other.into(), delegated()));
    let connector = stage.connector();
    let link = connector.connect(&grant(), Purpose::Read).await.expect("a session");
    stage.rule(GRAPH, SUBSCRIPTION, Refusal::Throttled(1200), (0, Some(1)));
    let first = gather(link.as_ref(), &Scope::default()).await;
    assert_eq!(first.others(&[]), [Verdict::Throttled; 12]);
    assert_eq!(first.cell("compute").retry_after_seconds, Some(1200));
    assert!(first.cells.iter().all(|cell| cell.retry_after_seconds.is_some_and(|wait| (1190..=1200).contains(&wait))), "{:?}", first.cells);
    let calls = stage.simulator.exchanges().len();
    let again = gather(link.as_ref(), &Scope::default()).await;
    assert_eq!(again.others(&[]), [Verdict::Throttled; 12]);
    let attempt = connector.attempt(&grant(), Presented::Right).await.expect_err("Azure asked to wait");
    assert!(matches!(attempt.class, ErrorClass::Throttled(Some(_))));
    assert_eq!(stage.simulator.exchanges().len(), calls, "not one call is made until then");
    let grant = AccessGrant::Azure(AzureGrant { client: "acme".into(), subscription_id: other.into(), home_tenant_id: None });
    let link = connector.connect(&grant, Purpose::Read).await.expect("the other subscription goes on");
    gather(link.as_ref(), &Scope::default()).await.assert_complete();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_survives_a_restart() {
    let stage = Stage::with(machines(1)).await;
    let other = "cccccccc-0000-4000-8000-000000000001";
    stage.simulator.change(|world| world.subscriptions.insert(other.into(), delegated()));
    stage.rule(GRAPH, SUBSCRIPTION, Refusal::Throttled(1200), (0, Some(1)));
    let usage = stage.discover().await.usage.expect("it is told");
    let [held] = &usage.held[..] else { panic!("{usage:?}") };
    assert!(held.key.contains(SUBSCRIPTION) && (1190..=1200).contains(&held.left.as_secs()), "{held:?}");
    // A process that knows of the wait by what was written down of it, and by nothing else.
    let budgets = Budgets::default();
    budgets.hold(&Key::from_text(&held.key), held.left);
    let connector = AzureConnector::with_budgets(&stage.config(), budgets).expect("a connector");
    let calls = stage.simulator.exchanges().len();
    let error = connector.connect(&grant(), Purpose::Read).await.err().expect("Azure asked to wait");
    assert!(matches!(error.class, ErrorClass::Throttled(Some(left)) if left.as_secs() > 1180), "{error:?}");
    assert_eq!(stage.simulator.exchanges().len(), calls, "not one call is made until then");
    let grant = AccessGrant::Azure(AzureGrant { client: "acme".into(), subscription_id: other.into(), home_tenant_id: None });
    let link = connector.connect(&grant, Purpose::Read).await.expect("the other subscription goes on");
    gather(link.as_ref(), &Scope::default()).await.assert_complete();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_wait_is_waited_for() {
    let stage = Stage::with(machines(6)).await;
    stage.simulator.change(|world| world.page_rows = 2);
    let link = stage.link(Purpose::Read).await;
    stage.rule(GRAPH, MACHINES, Refusal::Throttled(2), (1, Some(1)));
    let began = std::time::Instant::now();
    let gathered = gather(link.as_ref(), &Scope::default()).await;
    gathered.assert_complete();
    assert!(began.elapsed() >= std::time::Duration::from_secs(2), "not one call earlier");
    assert_eq!(
        (gathered.assets.len(), gathered.cell("compute").calls),
        (6, 3 + 1 + 1 + 1),
        "pages, the repeated one, the addresses, the proof"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn half_of_all_calls_throttled_still_ends_complete() {
    let stage = Stage::with(machines(10)).await;
    stage.simulator.change(|world| world.page_rows = 2);
    let link = stage.link(Purpose::Read).await;
    // Each rule waits for one call more than the one before it, and a call that falls under one is not counted by the next: every other call is refused.
    (1..=15).for_each(|after| stage.rule(GRAPH, "", Refusal::Throttled(0), (after, Some(1))));
    let gathered = gather(link.as_ref(), &Scope::default()).await;
    gathered.assert_complete();
    let refused = stage.queries().iter().filter(|query| query.status == 429).count();
    assert_eq!((gathered.assets.len(), refused), (10, 15));
    stage.simulator.change(|world| world.rules.clear());
    stage.rule(GRAPH, MACHINES, Refusal::Throttled(0), (0, None));
    let gathered = gather(link.as_ref(), &Scope::default()).await;
    assert_eq!((gathered.cell("compute").verdict, gathered.cell("compute").calls), (Verdict::Throttled, 62), "patience has an end");
    assert_eq!(gathered.others(&["compute"]), [Verdict::Complete; 11]);
}

#[tokio::test(flavor = "multi_thread")]
async fn under_the_buckets_of_azure_itself_all_is_read_and_hardly_anything_refused() {
    let stage = Stage::with(machines(1)).await;
    let others = [1, 2].map(|number| format!("cccccccc-0000-4000-8000-00000000000{number}"));
    stage.simulator.change(|world| {
        world.subscriptions.extend(others.clone().map(|id| (id, delegated())));
        world.limits = Some(Limits::public());
    });
    let config = AzureConfig { queries_per_second: QUERIES_PER_SECOND, ..stage.config() };
    let connector = AzureConnector::new(&config).expect("a connector");
    let read = async |id: &str| {
        let grant = AccessGrant::Azure(AzureGrant { client: id.into(), subscription_id: id.into(), home_tenant_id: None });
        let link = connector.connect(&grant, Purpose::Read).await.expect("a session");
        gather(link.as_ref(), &Scope::default()).await.assert_complete();
    };
    tokio::join!(read(SUBSCRIPTION), read(&others[0]), read(&others[1]));
    let queries = stage.queries().len();
    let refused = stage.simulator.change(|world| world.limits.as_ref().expect("it is set").refused());
    assert!(queries > 30 && refused * 20 <= queries, "{refused} of {queries} were refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_that_finds_the_bucket_of_its_subscription_empty_is_told_how_long_to_wait() {
    let stage = Stage::with(machines(1)).await;
    // Resource Manager gives one read a second here, and Resource Graph all that is asked for.
    stage.simulator.change(|world| world.limits = Some(Limits::new((1, 1.0), (10_000, Duration::from_secs(5)))));
    let link = stage.link(Purpose::Read).await;
    gather(link.as_ref(), &Scope::default()).await.assert_complete();
    let error = link.ways_in().await.expect_err("the proof took the only read");
    assert!(matches!(error.class, ErrorClass::Throttled(Some(_))), "{error:?}");
    stage.simulator.change(|world| world.limits = Some(Limits::public()));
    let began = std::time::Instant::now();
    link.ways_in().await.expect("an answer");
    assert!(began.elapsed() >= Duration::from_millis(900), "not one call earlier");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_failures_is_unreachable_and_ends() {
    let stage = Stage::with(machines(3)).await;
    let link = stage.link(Purpose::Read).await;
    for status in [500, 502, 503, 504] {
        stage.simulator.change(|world| world.rules.clear());
        stage.rule(GRAPH, "", Refusal::Server(status), (0, None));
        let gathered = gather(link.as_ref(), &Scope::default()).await;
        assert_eq!(gathered.others(&[]), [Verdict::Unreachable; 12], "{status}");
    }
    stage.simulator.change(|world| world.rules.clear());
    gather(link.as_ref(), &Scope::default()).await.assert_complete();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_on_a_later_page_is_partial() {
    let stage = Stage::with(machines(6)).await;
    stage.simulator.change(|world| world.page_rows = 2);
    stage.rule(GRAPH, MACHINES, Refusal::Server(500), (1, Some(1)));
    let gathered = stage.discover().await;
    assert_eq!((gathered.cell("compute").verdict, gathered.cell("compute").assets), (Verdict::Partial, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_ends_in_mid_run_is_renewed_on_the_same_page() {
    let stage = Stage::with(machines(10)).await;
    stage.simulator.change(|world| world.page_rows = 2);
    let link = stage.link(Purpose::Read).await;
    let tokens = stage.tokens();
    stage.rule(GRAPH, MACHINES, Refusal::TokenEnded, (2, Some(1)));
    let gathered = gather(link.as_ref(), &Scope::default()).await;
    gathered.assert_complete();
    assert_eq!((gathered.assets.len(), stage.tokens()), (10, tokens + 1), "one new token, nothing lost or doubled");
    let asked: Vec<String> = stage.queries().iter().map(|query| query.request_body["options"]["$skipToken"].to_string()).collect();
    assert_eq!(asked[3], asked[4], "the same page again");
    assert_eq!(gathered.cell("compute").calls, 5 + 1 + 1 + 1, "pages, the repeated one, the addresses, the proof");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_near_its_end_is_not_used() {
    let stage = Stage::with(machines(1)).await;
    stage.simulator.change(|world| world.token_life = std::time::Duration::from_secs(60));
    let link = stage.link(Purpose::Read).await;
    let tokens = stage.tokens();
    link.identity().await.expect("an answer");
    assert!(stage.tokens() > tokens, "one that ends in a minute is renewed beforehand");
    assert!(stage.simulator.exchanges().iter().all(|exchange| exchange.status == 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn fresh_tokens_that_are_refused_are_our_own_fault() {
    let stage = Stage::with(machines(1)).await;
    let link = stage.link(Purpose::Read).await;
    stage.rule(GRAPH, "", Refusal::TokenEnded, (0, None));
    let tokens = stage.tokens();
    let error =
        link.discover(&Scope::default(), &mut Gathered::default()).await.expect_err("no cell could be read, and none says anything");
    assert_eq!(error.class, ErrorClass::Credentials, "{error}");
    assert!(error.message.contains("check the audience and the clocks"), "{error}");
    assert_eq!(stage.tokens(), tokens + 1, "one new token, and no more");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delegation_that_ends_in_mid_run_leaves_no_cell_complete() {
    for silent in [false, true] {
        let stage = Stage::with(machines(6)).await;
        stage.simulator.change(|world| {
            world.page_rows = 2;
            world.silent_graph = silent;
        });
        stage.rule(GRAPH, MACHINES, Refusal::DelegationRevoked, (1, Some(1)));
        let gathered = stage.discover().await;
        assert_eq!(gathered.cell("compute").assets, 2);
        // An index that shows nothing to somebody who may read nothing has emptied no subscription.
        assert_eq!(gathered.others(&[]), [Verdict::Denied; 12], "silent: {silent}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_of_another_subscription_goes_nowhere() {
    let mut foreign = resource("Microsoft.Compute/virtualMachines", "theirs", "westeurope");
    foreign["id"] = "/subscriptions/abababab-0000-4000-8000-000000000001/resourceGroups/g/providers/x/y/theirs".into();
    let mut resources = machines(1);
    resources.push(foreign);
    let stage = Stage::with(resources).await;
    let gathered = stage.discover().await;
    let cell = gathered.cell("compute");
    assert_eq!(cell.verdict, Verdict::Partial);
    assert!(!cell.cause.contains("abab") && !gathered.assets.iter().any(|asset| asset.id.contains("abab")), "{}", cell.cause);
}

// On one thread no answer can come while the receiver has not had its turn, so that the count is exact on a busy machine too.
#[tokio::test]
async fn a_receiver_that_fails_ends_the_run() {
    let stage = Stage::with(machines(3)).await;
    let mut sink = Gathered { fail_after: Some(1), ..Gathered::default() };
    let error = stage.link(Purpose::Read).await.discover(&Scope::default(), &mut sink).await.expect_err("the store is full");
    assert_eq!((error.class, sink.assets.len(), sink.cells.len()), (ErrorClass::Sink, 1, 0));
    assert_eq!(stage.queries().len(), 2, "addresses and one page of machines");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_grant_takes_no_session_of_the_old_one() {
    let stage = Stage::new().await;
    let connector = stage.connector();
    connector.connect(&grant(), Purpose::Read).await.expect("a session");
    connector.connect(&grant(), Purpose::Read).await.expect("the same session");
    assert_eq!(stage.tokens(), 1, "a session is kept");
    let wrong = AccessGrant::Azure(AzureGrant {
        client: "acme".into(),
        subscription_id: SUBSCRIPTION.into(),
        home_tenant_id: Some(SUBSCRIPTION.into()),
    });
    let error = connector.connect(&wrong, Purpose::Read).await.err().expect("the home is another");
    assert_eq!((error.class, stage.tokens()), (ErrorClass::WrongAccount, 2), "the edit takes effect at once");
    connector.connect(&grant(), Purpose::Read).await.expect("put right, it recovers unaided");
    assert_eq!(stage.tokens(), 3);
}
