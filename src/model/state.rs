//! The state machine of a run (an active job). This is the only place that says which change is allowed.

use super::constants;
use super::outcome::Outcome;

constants! {
    /// Active job states. The constant `Unknown` of the API is never stored: it is what a client shows for a state it
    /// does not know.
    pub enum State("active job state") {
        /// Written, its first file not yet there.
        New,
        /// An HTTP upload waits for its client's next post.
        WaitingClient,
        /// Waits for a free slot.
        WaitingCoordinator,
        Running,
        /// Asked to stop; ends at its next checkpoint.
        Stopping,
        Done,
    }
}

/// What can happen to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A client posted a file and may post more.
    Post,
    /// All input is there.
    Close,
    /// The dispatcher hands it to a worker.
    Claim,
    /// Somebody asked to stop it.
    AskStop,
    /// The attempt ended for good.
    Finish(Outcome),
    /// The attempt ended, another one will follow: a retry, a shutdown, an expired lease.
    Release,
}

/// An event that its state does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a job that is {state} cannot take the event {event:?}")]
pub struct Refused {
    pub state: State,
    pub event: Event,
}

/// A state, and with [`State::Done`] the outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    To(State),
    Ended(Outcome),
}

impl Next {
    pub const fn state(self) -> State {
        match self {
            Self::To(state) => state,
            Self::Ended(_) => State::Done,
        }
    }
}

/// `State + Event -> State`. Every pair is matched; adding a state or an event does not compile until it is decided here.
pub const fn next(state: State, event: Event) -> Result<Next, Refused> {
    use Event::{AskStop, Claim, Close, Finish, Post, Release};
    use State::{Done, New, Running, Stopping, WaitingClient, WaitingCoordinator};
    match (state, event) {
        (New | WaitingClient, Post) => Ok(Next::To(WaitingClient)),
        (New | WaitingClient, Close) => Ok(Next::To(WaitingCoordinator)),
        (WaitingCoordinator, Claim) => Ok(Next::To(Running)),
        (New | WaitingClient | WaitingCoordinator, AskStop) => Ok(Next::Ended(Outcome::Stopped)),
        (Running | Stopping, AskStop) => Ok(Next::To(Stopping)),
        (Running | Stopping, Finish(outcome)) => Ok(Next::Ended(outcome)),
        (Running, Release) => Ok(Next::To(WaitingCoordinator)),
        // Who asked to stop does not want it to start again.
        (Stopping, Release) => Ok(Next::Ended(Outcome::Stopped)),
        (New | WaitingClient, Claim | Finish(_) | Release)
        | (WaitingCoordinator, Post | Close | Finish(_) | Release)
        | (Running | Stopping, Post | Close | Claim)
        | (Done, Post | Close | Claim | AskStop | Finish(_) | Release) => Err(Refused { state, event }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_is_decided() {
        let events = [
            Event::Post,
            Event::Close,
            Event::Claim,
            Event::AskStop,
            Event::Finish(Outcome::Succeeded),
            Event::Finish(Outcome::Failed),
            Event::Release,
        ];
        let mut table = String::new();
        for state in State::ALL {
            for event in events {
                let shown = match next(*state, event) {
                    Ok(Next::To(to)) => to.to_string(),
                    Ok(Next::Ended(outcome)) => format!("Done, {outcome}"),
                    Err(_) => "-".to_owned(),
                };
                table.push_str(&format!("{state:<19}{:<19}{shown}\n", format!("{event:?}")));
            }
        }
        insta::assert_snapshot!(table);
    }

    #[test]
    fn done_is_final() {
        for event in [Event::Claim, Event::AskStop, Event::Release, Event::Finish(Outcome::Failed)] {
            assert!(next(State::Done, event).is_err());
        }
    }
}
