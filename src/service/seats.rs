//! Seats for those who wait. When all are taken, the network that has most of them gives its last one up to one that has fewer,
//! so that a few that come often do not keep all others from waiting.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::model::network::Network;

#[derive(Debug)]
pub(super) struct Seats {
    most: usize,
    /// Of them, for one network.
    each: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    next: u64,
    /// In the order in which they came.
    seats: BTreeMap<u64, (Network, CancellationToken)>,
}

impl Taken {
    /// Of the network that has most, the one that came last, if that remains no smaller than the newcomer's, which has `own`.
    fn of_the_greediest(&self, counts: &HashMap<Network, usize>, own: usize) -> Option<u64> {
        let counted = self.seats.iter().map(|(id, (network, _))| (counts.get(network), *id));
        let (count, id) = counted.max()?;
        count.is_some_and(|count| *count > own + 1).then_some(id)
    }
}

impl Seats {
    pub fn new(most: usize, each: usize) -> Self {
        Self { most, each, taken: Mutex::default() }
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn len(&self) -> usize {
        self.taken().seats.len()
    }

    /// A seat, if there is one for this network.
    pub fn take(&self, network: Network) -> Option<Seat<'_>> {
        let mut taken = self.taken();
        let mut counts = HashMap::new();
        for (network, _) in taken.seats.values() {
            *counts.entry(*network).or_default() += 1;
        }
        let own = counts.get(&network).copied().unwrap_or_default();
        if own >= self.each {
            return None;
        }
        if taken.seats.len() >= self.most {
            let (_, told) = taken.of_the_greediest(&counts, own).and_then(|id| taken.seats.remove(&id))?;
            told.cancel();
        }
        taken.next += 1;
        let (id, told) = (taken.next, CancellationToken::new());
        taken.seats.insert(id, (network, told.clone()));
        Some(Seat { seats: self, id, told })
    }
}

/// A seat, until it is dropped or given up.
#[derive(Debug)]
pub(super) struct Seat<'s> {
    seats: &'s Seats,
    id: u64,
    told: CancellationToken,
}

impl Seat<'_> {
    /// What comes of waiting; None if somebody else has the seat before.
    pub async fn wait<T>(&self, waiting: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            came = waiting => Some(came),
            () = self.told.cancelled() => None,
        }
    }

    #[cfg(test)]
    pub fn is_given_up(&self) -> bool {
        self.told.is_cancelled()
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.seats.taken().seats.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(address: &str) -> Network {
        Network::of_caller(address.parse().unwrap())
    }

    #[test]
    fn who_has_most_gives_way_to_who_has_fewer() {
        let seats = Seats::new(6, 4);
        let [often, other, once] = ["192.0.2.1", "192.0.2.2", "192.0.2.3"].map(network);
        let kept: Vec<_> = (0..9).map_while(|_| seats.take(often)).collect();
        assert_eq!(kept.len(), 4, "its share");
        let others: Vec<_> = (0..3).map(|_| seats.take(other).unwrap()).collect();
        assert!(kept[3].is_given_up() && !kept[2].is_given_up() && seats.len() == 6);
        assert!(seats.take(other).is_none() && seats.take(often).is_none(), "who would have more than the other then");
        let last = seats.take(once).unwrap();
        assert_eq!(kept.iter().chain(&others).filter(|seat| seat.is_given_up()).count(), 2);
        drop((kept, others));
        assert_eq!(seats.len(), 1);
        drop(last);
        assert_eq!(seats.len(), 0);
    }
}
