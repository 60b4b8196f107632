//! Peers: nodes handle what other nodes have told them and say what they have to say.
//!
//! Works on the columns of one node at a time; what nodes send waits in their outboxes until all
//! are done, and is filed into the mailboxes then. It is handled on a later boundary, so the order
//! in which nodes are visited changes nothing.

use crate::clock::Clock;
use crate::peer_network::{self, PeerMail, PeerOut};
use crate::setup::Setup;

/// Lets every node handle its messages, when the present tick starts on a boundary.
pub fn run(setup: &Setup, clock: &Clock, mails: &mut [PeerMail], outboxes: &mut [PeerOut]) {
    let Some(_quantum) = clock.boundary else { return };
    if !setup.nodes_talk {
        return;
    }
    peer_network::deliver(outboxes, mails);
}
