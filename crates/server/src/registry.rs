//! The registry: what each feature says about itself and what it answers.
//!
//! From here come disco#info for each addressee kind, the feature table, the option reference,
//! `example.toml`, `waxwing.doap` and the listing of hooks. Nothing about a feature is written
//! in a second place.

mod error;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::future::Future;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use waxwing_stanza::xep::xep_0004_forms::DataForm;
use waxwing_stanza::xep::xep_0030_disco::{DiscoInfo, Feature as Var, Identity};
use waxwing_stanza::xep::xep_0050_commands::NS as NS_COMMANDS;
use waxwing_stanza::{IqType, Payload, StanzaError};
use waxwing_store::Shape;
use waxwing_stream::server::Stage;
use waxwing_wire::Element;

pub use error::RegistryError;

use crate::account_commands::COMMANDS;
use crate::addressee::Addressee;
use crate::admin::{Access, Command, MadeForm};
use crate::api_tokens::COMMANDS as TOKEN_COMMANDS;
use crate::cx::{Answer, Cx, Iq, IqHead};
use crate::hooks::{Hooks, Phase, ReceivedHook, SendingHook, SentHook};
use crate::options::{OptionSpec, Options};
use crate::pubsub::links::{Family, Link, NodeHook};
use crate::pubsub::profile::Profile;
use crate::pubsub::service::{Service, ServiceKind};
use crate::server::Server;
use crate::session::{Flag, Session};
use crate::xep::xep_0050_commands::AdHoc;

/// Which document a feature implements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// An XMPP extension protocol, by number.
    Xep(u16),
    /// A part of an RFC: number and section or topic.
    Rfc(u16, &'static str),
}

/// How much of it works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// All that concerns a server.
    Complete,
    /// Not all; says what is missing.
    Partial(&'static str),
}

/// All that is said about a feature.
pub struct Feature {
    /// The document.
    pub source: Source,
    /// Its title.
    pub title: &'static str,
    /// The version implemented; empty for an RFC.
    pub version: &'static str,
    /// How much works.
    pub status: Status,
    /// Settings of the feature.
    pub options: &'static [OptionSpec],
    /// Settings that each domain can have of its own.
    pub domain_options: &'static [OptionSpec],
    /// What it stores.
    pub shapes: fn() -> Vec<Shape>,
    /// Flags that it sets on sessions.
    pub flags: &'static [Flag],
    /// Registers handlers, hooks, disco features and the rest.
    pub register: fn(&mut Registrar<'_>),
}

impl Feature {
    /// A feature that stores nothing, has no options and registers nothing: for `..Feature::NONE`.
    pub const NONE: Feature = Feature {
        source: Source::Xep(0),
        title: "",
        version: "",
        status: Status::Complete,
        options: &[],
        domain_options: &[],
        shapes: Vec::new,
        flags: &[],
        register: |_| {},
    };

    /// Short name: `XEP-0280` or `RFC 6121 roster`.
    pub fn name(&self) -> String {
        match self.source {
            Source::Xep(number) => format!("XEP-{number:04}"),
            Source::Rfc(number, part) => format!("RFC {number} {part}"),
        }
    }
}

/// Handlers by namespace, then element.
type ByPayload = HashMap<&'static str, HashMap<&'static str, (String, IqHandler)>>;
type IqHandler = Arc<
    dyn Fn(Cx, IqHead, Element) -> BoxFuture<'static, Result<Answer, StanzaError>> + Send + Sync,
>;

/// Says more about a domain in its disco#info (XEP-0128), by the options of that domain.
pub type FormOf = fn(&Options) -> Option<DataForm>;
/// Whether a domain with these options says something of itself.
pub type IsShown = fn(&Options) -> bool;
/// What a feature does when the server begins, and whenever it has other settings.
pub type SettingsHook = fn(Server) -> BoxFuture<'static, Result<(), StanzaError>>;
/// A stream feature of a domain, by everything that is registered and the options of that domain.
pub type StreamFeatureOf = fn(&Registry, &Options) -> Option<Element>;
/// What is done for a session that is bound together with its log-in, where the client asks for it by this element, and
/// what it is told of that (XEP-0386 §3.1).
pub type Bind2Feature = fn(&Server, &Arc<Session>, &Element) -> Option<Element>;
/// What every session that is bound so is told.
pub type Bind2Result =
    fn(Server, Arc<Session>) -> BoxFuture<'static, Result<Option<Element>, StanzaError>>;

/// Everything that features registered.
#[derive(Default)]
pub struct Registry {
    iq: HashMap<(Addressee, IqType), ByPayload>,
    pub(crate) sending: Hooks<SendingHook>,
    pub(crate) received: Hooks<ReceivedHook>,
    pub(crate) sent: Hooks<SentHook>,
    disco: BTreeMap<Addressee, Vec<String>>,
    identities: BTreeMap<Addressee, Vec<Identity>>,
    forms: Vec<FormOf>,
    /// Features of domains that hang on their options.
    domain_disco: Vec<(&'static str, IsShown)>,
    /// Identities of domains that hang on their options.
    domain_identities: Vec<(Identity, IsShown)>,
    /// Nodes of hosts that only the domain itself makes.
    reserved_nodes: Vec<&'static str>,
    pub(crate) on_settings: Vec<SettingsHook>,
    pub(crate) stream_features: Vec<(Stage, StreamFeatureOf)>,
    bind2_features: Vec<(&'static str, Bind2Feature)>,
    bind2_results: Vec<Bind2Result>,
    commands: BTreeMap<&'static str, Command>,
    ad_hoc: Vec<(Addressee, AdHoc)>,
    pub(crate) profiles: Vec<Profile>,
    links: Vec<(&'static str, Link)>,
    every_node: Vec<(&'static str, NodeHook)>,
}

/// Registers things for one feature.
pub struct Registrar<'a> {
    registry: &'a mut Registry,
    feature: &'a Feature,
    name: &'static str,
    errors: Vec<RegistryError>,
}

impl Registrar<'_> {
    /// Answers IQ requests of one type whose payload is a `P`, for these addressee kinds.
    pub fn iq<P, F, Fut>(&mut self, whom: &[Addressee], kind: IqType, handler: F)
    where
        P: Payload + Send + 'static,
        F: Fn(Cx, Iq<P>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Answer, StanzaError>> + Send + 'static,
    {
        let handler: IqHandler = Arc::new(move |cx, head, element| match P::read(&element) {
            Ok(payload) => handler(cx, Iq { head, payload }).boxed(),
            Err(error) => {
                let error = StanzaError::from(error);
                async move { Err(error) }.boxed()
            }
        });
        for &to in whom {
            let owner = (self.feature.name(), handler.clone());
            let names = self
                .registry
                .iq
                .entry((to, kind))
                .or_default()
                .entry(P::NS)
                .or_default();
            if let Some((other, _)) = names.insert(P::NAME, owner) {
                self.errors.push(RegistryError::IqTaken {
                    owner: self.feature.name(),
                    other,
                    kind: kind.as_str(),
                    name: P::NAME,
                    ns: P::NS,
                    whom: to.name(),
                });
            }
        }
    }

    /// A feature of disco#info for these addressee kinds.
    pub fn disco(&mut self, whom: &[Addressee], feature: &str) {
        for &to in whom {
            let features = self.registry.disco.entry(to).or_default();
            if !features.iter().any(|known| known == feature) {
                features.push(feature.to_owned());
            }
        }
    }

    /// An identity of disco#info.
    pub fn identity(&mut self, whom: &[Addressee], identity: &Identity) {
        for &to in whom {
            self.registry
                .identities
                .entry(to)
                .or_default()
                .push(identity.clone());
        }
    }

    /// A hook on messages from local sessions.
    pub fn on_sending(&mut self, phase: Phase, hook: SendingHook) {
        self.registry.sending.add(phase, self.name, hook);
    }

    /// A hook on delivered messages.
    pub fn on_received(&mut self, phase: Phase, hook: ReceivedHook) {
        self.registry.received.add(phase, self.name, hook);
    }

    /// A hook on one's own messages on their way.
    pub fn on_sent(&mut self, phase: Phase, hook: SentHook) {
        self.registry.sent.add(phase, self.name, hook);
    }

    /// A stream feature at this stage of negotiation.
    pub fn stream_feature(&mut self, stage: Stage, feature: StreamFeatureOf) {
        self.registry.stream_features.push((stage, feature));
    }

    /// What clients can ask for together with a resource, by its namespace.
    pub fn bind2_feature(&mut self, ns: &'static str, feature: Bind2Feature) {
        self.registry.bind2_features.push((ns, feature));
    }

    /// What clients are told together with a resource.
    pub fn bind2_result(&mut self, result: Bind2Result) {
        self.registry.bind2_results.push(result);
    }

    /// More about a domain in its disco#info.
    pub fn domain_form(&mut self, form: FormOf) {
        self.registry.forms.push(form);
    }

    /// A feature of a domain's disco#info, for domains with such options.
    pub fn domain_disco(&mut self, feature: &'static str, is_shown: IsShown) {
        self.registry.domain_disco.push((feature, is_shown));
    }

    /// An identity in a domain's disco#info, for domains with such options.
    pub fn domain_identity(&mut self, identity: Identity, is_shown: IsShown) {
        self.registry.domain_identities.push((identity, is_shown));
    }

    /// A node of pubsub hosts that nobody but the domain makes.
    pub fn reserve_node(&mut self, name: &'static str) {
        self.registry.reserved_nodes.push(name);
    }

    /// What is done when the server begins, and whenever it has other settings.
    pub fn on_settings(&mut self, hook: SettingsHook) {
        self.registry.on_settings.push(hook);
    }

    /// What nodes of certain names of an account are by default.
    pub fn node(&mut self, profile: Profile) {
        self.registry.profiles.push(profile);
    }

    /// What is kept in step with a node of each account.
    pub(crate) fn link(&mut self, link: Link) {
        self.registry.links.push((self.name, link));
    }

    /// What is made of what happens at nodes of all services. The hook changes nothing but what has the node's turn.
    pub(crate) fn every_node(&mut self, hook: NodeHook) {
        self.registry.every_node.push((self.name, hook));
    }

    /// An ad-hoc command of these addressee kinds, which are said to have such.
    pub(crate) fn ad_hoc(&mut self, whom: &[Addressee], command: AdHoc) {
        self.disco(whom, NS_COMMANDS);
        for &to in whom {
            if self
                .registry
                .ad_hoc(to)
                .any(|known| known.node == command.node)
            {
                self.errors.push(RegistryError::AdHocTaken {
                    owner: self.feature.name(),
                    node: command.node,
                    whom: to.name(),
                });
            }
            self.registry.ad_hoc.push((to, command));
        }
    }

    /// An admin command.
    pub fn command(&mut self, command: Command) {
        let name = command.name;
        if self.registry.commands.insert(name, command).is_some() {
            self.errors.push(RegistryError::CommandTaken {
                owner: self.feature.name(),
                name,
            });
        }
    }
}

impl Registry {
    /// Collects what `features` register; two owners of one thing are refused.
    pub fn new(features: &[&Feature]) -> Result<Registry, RegistryError> {
        let mut registry = Registry::default();
        let own = COMMANDS.iter().chain(TOKEN_COMMANDS);
        registry
            .commands
            .extend(own.map(|command| (command.name, *command)));
        let mut flags: HashMap<u8, &'static str> = HashMap::new();
        for &feature in features {
            for flag in feature.flags {
                if flags.insert(flag.bit, flag.name).is_some() || flag.bit > 63 {
                    return Err(RegistryError::FlagTaken {
                        owner: feature.name(),
                        bit: flag.bit,
                        name: flag.name,
                    });
                }
            }
            let mut registrar = Registrar {
                registry: &mut registry,
                feature,
                name: feature.title,
                errors: Vec::new(),
            };
            (feature.register)(&mut registrar);
            if let Some(error) = registrar.errors.into_iter().next() {
                return Err(error);
            }
        }
        Ok(registry)
    }

    pub(crate) fn handler(
        &self,
        whom: Addressee,
        kind: IqType,
        payload: &Element,
    ) -> Option<&IqHandler> {
        let names = self.iq.get(&(whom, kind))?.get(payload.ns())?;
        names.get(payload.name()).map(|(_, handler)| handler)
    }

    /// What is done for whoever asks for this together with a resource.
    pub(crate) fn bind2_feature(&self, ns: &str) -> Option<Bind2Feature> {
        let mut features = self.bind2_features.iter();
        features
            .find(|(known, _)| *known == ns)
            .map(|(_, feature)| *feature)
    }

    /// What can be asked for together with a resource.
    pub(crate) fn bind2_namespaces(&self) -> impl Iterator<Item = &'static str> {
        self.bind2_features.iter().map(|(ns, _)| *ns)
    }

    /// What is told together with a resource.
    pub(crate) fn bind2_results(&self) -> Vec<Bind2Result> {
        self.bind2_results.clone()
    }

    /// The admin command of this name.
    pub fn command(&self, name: &str) -> Option<Command> {
        self.commands.get(name).copied()
    }

    /// All admin commands, by name.
    pub fn commands(&self) -> impl Iterator<Item = Command> {
        self.commands.values().copied()
    }

    /// What tokens can be good for, as the commands say.
    pub fn scopes(&self) -> BTreeSet<String> {
        let scopes = self.commands.values();
        scopes
            .filter_map(|command| command.access.scope())
            .collect()
    }

    /// The forms of admin commands of which no feature has one of its own.
    pub(crate) fn made_forms(&self) -> impl Iterator<Item = MadeForm> {
        let has_own = |name| (self.ad_hoc.iter()).any(|(_, own)| own.faces.contains(&name));
        let remote = self
            .commands()
            .filter(|command| command.access != Access::Machine);
        remote
            .filter(move |command| !has_own(command.name))
            .map(MadeForm::of)
    }

    /// The ad-hoc commands of an addressee kind.
    pub(crate) fn ad_hoc(&self, whom: Addressee) -> impl Iterator<Item = AdHoc> {
        let all = self.ad_hoc.iter();
        all.filter(move |(to, _)| *to == whom).map(|(_, one)| *one)
    }

    /// What features make of what happens at a node.
    pub(crate) fn hooks_of(&self, service: &Service, node: &str) -> impl Iterator<Item = NodeHook> {
        let is_account = service.kind == ServiceKind::Account;
        let links = self.links.iter().map(|(_, link)| *link);
        let links = links.filter(move |link| is_account && link.node == node);
        let every = self.every_node.iter().map(|(_, hook)| *hook);
        links.map(|link| link.hook).chain(every)
    }

    /// Whose turn a node has, if it is linked to anything.
    pub(crate) fn family(&self, node: &str) -> Option<Family> {
        let mut links = self.links.iter();
        let link = links.find(|(_, link)| link.node == node);
        link.map(|(_, link)| link.family)
    }

    /// Whether nobody makes a node of this name at a host but the domain itself.
    pub(crate) fn is_reserved(&self, service: &Service, node: &str) -> bool {
        service.kind == ServiceKind::Host && self.reserved_nodes.contains(&node)
    }

    /// Features for disco#info, sorted.
    pub fn disco(&self, whom: Addressee) -> Vec<String> {
        let mut features = self.disco.get(&whom).cloned().unwrap_or_default();
        features.sort();
        features
    }

    /// Identities for disco#info.
    pub fn identities(&self, whom: Addressee) -> Vec<Identity> {
        self.identities.get(&whom).cloned().unwrap_or_default()
    }

    /// What a domain with these options says of itself (XEP-0030 §3).
    pub fn domain_info(&self, options: &Options) -> DiscoInfo {
        let mut features = self.disco(Addressee::Domain);
        let shown = self
            .domain_disco
            .iter()
            .filter(|(_, is_shown)| is_shown(options));
        features.extend(shown.map(|(feature, _)| (*feature).to_owned()));
        features.sort();
        let mut identities = self.identities(Addressee::Domain);
        let shown = self.domain_identities.iter();
        let shown = shown.filter(|(_, is_shown)| is_shown(options));
        identities.extend(shown.map(|(identity, _)| identity.clone()));
        DiscoInfo {
            node: None,
            identities,
            features: features.iter().map(|var| Var::new(var)).collect(),
            forms: self.forms.iter().filter_map(|form| form(options)).collect(),
        }
    }

    /// What is linked to which node of an account, and who keeps it in step, for the listing.
    pub fn linked_nodes(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.links.iter().map(|(owner, link)| (link.node, *owner))
    }

    /// Who has to do with every node, for the listing.
    pub fn every_node(&self) -> impl Iterator<Item = &'static str> {
        self.every_node.iter().map(|(owner, _)| *owner)
    }

    /// Hooks by place, for the listing.
    pub fn hooks(&self) -> Vec<(&'static str, Vec<(Phase, &'static str)>)> {
        vec![
            (
                "sending: a message from a local session, before it is staged",
                self.sending.listing().collect(),
            ),
            (
                "received: a message delivered to a local account",
                self.received.listing().collect(),
            ),
            (
                "sent: a message of a local account, on its way",
                self.sent.listing().collect(),
            ),
        ]
    }
}
