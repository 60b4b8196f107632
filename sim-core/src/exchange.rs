//! What two nodes tell each other about the servers.

use crate::network::Report;

/// A message of the exchange between two nodes.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// Everything the sender knows; `answer` asks for the same in return.
    Full {
        /// One report a server.
        reports: Vec<Report>,
        /// The receiver is to answer in kind.
        answer: bool,
    },
}
