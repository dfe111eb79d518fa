//! The relay role: a mix.

use wire::document::Role;

use crate::Error;
use crate::node::{Node, NodeConfig};

/// Starts a relay. `config.role` is overridden.
///
/// # Errors
/// See [`Error`]: a taken port, an unusable state directory.
pub async fn start(config: NodeConfig) -> Result<Node, Error> {
    Node::start(NodeConfig { role: Role::Relay, ..config }, None).await
}
