//! Who of several has most of something.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;

/// Members of groups, by what they have. Who has nothing is not in it.
#[derive(Debug)]
pub(crate) struct Ranking<G, M> {
    groups: HashMap<G, Group<M>>,
}

#[derive(Debug)]
struct Group<M> {
    amounts: HashMap<M, u64>,
    order: BTreeSet<(u64, Reverse<M>)>,
    sum: u64,
}

impl<G, M> Default for Ranking<G, M> {
    fn default() -> Self {
        Self { groups: HashMap::new() }
    }
}

impl<G: Copy + Eq + Hash, M: Copy + Ord + Hash> Ranking<G, M> {
    pub fn set(&mut self, group: G, member: M, amount: u64) {
        let empty = || Group { amounts: HashMap::new(), order: BTreeSet::new(), sum: 0 };
        let Group { amounts, order, sum } = self.groups.entry(group).or_insert_with(empty);
        if let Some(before) = amounts.remove(&member) {
            order.remove(&(before, Reverse(member)));
            *sum -= before;
        }
        if amount > 0 {
            amounts.insert(member, amount);
            order.insert((amount, Reverse(member)));
            *sum += amount;
        }
        if amounts.is_empty() {
            self.groups.remove(&group);
        }
    }

    pub fn of(&self, group: &G, member: &M) -> u64 {
        self.groups.get(group).and_then(|group| group.amounts.get(member)).copied().unwrap_or(0)
    }

    pub fn sum(&self, group: &G) -> u64 {
        self.groups.get(group).map_or(0, |group| group.sum)
    }

    /// Who has most, and how much; of equals the lowest, which is the oldest where they are numbered.
    pub fn greediest(&self, group: &G) -> Option<(u64, M)> {
        self.groups.get(group)?.order.last().map(|(amount, Reverse(member))| (*amount, *member))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_most_is_known_after_each_change() {
        let mut ranking = Ranking::default();
        for (member, amount) in [(1, 5), (2, 7), (3, 7), (4, 0)] {
            ranking.set('a', member, amount);
        }
        ranking.set('b', 1, 100);
        assert_eq!((ranking.greediest(&'a'), ranking.sum(&'a'), ranking.of(&'a', &1)), (Some((7, 2)), 19, 5));
        ranking.set('a', 2, 6);
        assert_eq!((ranking.greediest(&'a'), ranking.sum(&'a'), ranking.of(&'a', &4)), (Some((7, 3)), 18, 0));
        for member in [1, 2, 3] {
            ranking.set('a', member, 0);
        }
        assert_eq!((ranking.greediest(&'a'), ranking.sum(&'a'), ranking.groups.len()), (None, 0, 1));
    }
}
