//! Targets spread over objects, so that each object stays far below what etcd takes, and so that one machine more moves no other.

use std::collections::BTreeMap;

use super::Target;
use crate::digest::first_byte;

/// Most targets of one object where there is one only, and on average where there are more. A target takes about 250 bytes of the 1.5 MiB that etcd
/// takes in one request.
/// Source: <https://etcd.io/docs/latest/dev-guide/limit/>
const MOST: usize = 500;
/// Most objects.
const MOST_SHARDS: usize = 256;

/// The targets of each object by its number; none is empty. A target's object follows from its account and id and from the number of objects, which
/// doubles where the targets have become too many.
pub(super) fn shards<'a>(targets: impl IntoIterator<Item = &'a Target>) -> BTreeMap<usize, Vec<&'a Target>> {
    let targets: Vec<&Target> = targets.into_iter().collect();
    let count = targets.len().div_ceil(MOST).next_power_of_two().min(MOST_SHARDS);
    let mut shards: BTreeMap<usize, Vec<&Target>> = BTreeMap::new();
    for target in targets {
        let number = usize::from(first_byte(&format!("{}/{}", target.account, target.id))) % count;
        shards.entry(number).or_default().push(target);
    }
    shards
}

#[cfg(test)]
mod tests {
    use caretaker_cloud::Cloud;

    use super::*;

    fn targets(count: usize) -> Vec<Target> {
        let target = |number: usize| Target {
            cloud: Cloud::Aws,
            account: "1".into(),
            region: "r".into(),
            id: format!("i-{number:06}"),
            name: String::new(),
            private: "10.0.0.1".parse().unwrap(),
            public: None,
        };
        (0..count).map(target).collect()
    }

    /// The shard of each target.
    fn of(targets: &[Target]) -> BTreeMap<&str, usize> {
        let all = shards(targets);
        all.iter().flat_map(|(number, held)| held.iter().map(|target| (target.id.as_str(), *number))).collect()
    }

    #[test]
    fn one_machine_more_moves_no_other() {
        let all = targets(2001);
        for count in [1, 499, 501, 999, 1001, 1500] {
            let (before, after) = (of(&all[..count]), of(&all[..=count]));
            assert!(before.iter().all(|(id, number)| after[id] == *number), "{count} machines and one more at the end");
            let first_came_last = of(&all[1..=count]);
            assert!(first_came_last.iter().all(|(id, number)| after[id] == *number), "{count} machines and one more at the begin");
        }
    }

    #[test]
    fn a_shard_is_never_too_large_and_few_machines_have_one() {
        assert_eq!(shards(&targets(0)).len(), 0);
        assert_eq!(shards(&targets(500)).keys().collect::<Vec<_>>(), [&0]);
        for count in [501, 1000, 10_000, 100_000] {
            let all = targets(count);
            let shards = shards(&all);
            assert_eq!(shards.values().map(Vec::len).sum::<usize>(), count, "none is lost");
            assert!(shards.values().all(|held| !held.is_empty() && held.len() <= 2 * MOST), "{count}");
        }
    }
}
