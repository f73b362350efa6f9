//! What a command is, whoever has made it: a feature, or the registration of an admin command.

use std::borrow::Cow;

use waxwing_stanza::StanzaError;

use super::{AdHoc, Outcome, Step};
use crate::addressee::Addressee;
use crate::admin::MadeForm;
use crate::cx::{Cx, IqHead};

/// A command that somebody can be shown: a feature's own, or one that is made of an admin command.
pub(super) enum Face {
    Own(AdHoc),
    Made(MadeForm),
}

impl Face {
    pub(super) fn node(&self) -> Cow<'static, str> {
        match self {
            Face::Own(own) => own.node.into(),
            Face::Made(made) => made.node().into(),
        }
    }

    pub(super) fn name(&self) -> Cow<'static, str> {
        match self {
            Face::Own(own) => own.name.into(),
            Face::Made(made) => made.name().into(),
        }
    }

    pub(super) fn stages(&self) -> u8 {
        match self {
            Face::Own(own) => own.stages,
            Face::Made(made) => made.stages(),
        }
    }

    pub(super) async fn may(&self, cx: &Cx, head: &IqHead) -> Result<bool, StanzaError> {
        match self {
            Face::Own(own) => (own.may)(cx.clone(), head.clone()).await,
            Face::Made(made) => Ok(made.may(cx, head)),
        }
    }

    pub(super) async fn run(
        &self,
        cx: Cx,
        head: IqHead,
        step: Step,
    ) -> Result<Outcome, StanzaError> {
        match self {
            Face::Own(own) => (own.run)(cx, head, step).await,
            Face::Made(made) => made.run(&cx, &head, step).await,
        }
    }
}

/// All commands of whom is asked.
pub(super) fn faces(cx: &Cx, head: &IqHead) -> Vec<Face> {
    let registry = cx.server.registry();
    let own = registry.ad_hoc(head.addressee).map(Face::Own);
    let is_domain = head.addressee == Addressee::Domain;
    let made = is_domain.then(|| registry.made_forms().map(Face::Made));
    own.chain(made.into_iter().flatten()).collect()
}
