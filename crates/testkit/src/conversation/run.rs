//! Playing a conversation, over whatever network there is.
//!
//! Length: every act of a conversation is a step here, and each needs the sessions of all.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use waxwing_stanza::BareJid;
use waxwing_stream::client::{Settings, Tls};
use waxwing_stream::component::{Connector, ConnectorOutput, Secret};
use waxwing_stream::sasl::Password;
use waxwing_wire::{Element, Event, ns};

use super::cast::{Cast, Start};
use super::network::{Happened, Network, Transport, Wait};
use super::session::{Came, Session, State, is_alike, matches, unexpected};
use super::xml::Bindings;
use super::{Act, DOMAIN, Failure, PASSWORD, Pattern, Section, Step, Template, Who, diff};
use crate::dice::{Dice, Seed};
use crate::stream::{ClientStream, Until, Wants};

/// A network, and those who talk over it.
#[derive(Debug)]
pub struct Runner<N: Network> {
    network: N,
    dice: Dice,
    sessions: BTreeMap<Who, Session<N::Link>>,
    bindings: Bindings,
    /// What sessions say of their language.
    languages: BTreeMap<Who, String>,
    /// Who is a component.
    components: BTreeSet<String>,
    /// Which of them answer pings in the conversation.
    confirming: BTreeSet<String>,
    /// Who acted last, if the server may not be done with it.
    busy_with: Option<Who>,
    /// Whether somebody has answered a question of the server's, which makes something of it beside all else.
    has_answered: bool,
    logins: usize,
    barriers: u64,
}

/// What ids of the pings have in common by which a conversation over sockets waits for the server.
const BARRIER: &str = "conversation-barrier-";

impl<N: Network> Runner<N> {
    /// A runner over a network on which the cast's accounts exist.
    pub fn new(network: N, seed: Seed) -> Runner<N> {
        Runner {
            network,
            dice: Dice::new(seed),
            sessions: BTreeMap::new(),
            bindings: Bindings::new(),
            languages: BTreeMap::new(),
            components: BTreeSet::new(),
            confirming: BTreeSet::new(),
            busy_with: None,
            has_answered: false,
            logins: 0,
            barriers: 0,
        }
    }

    /// Plays a section from its beginning to its end.
    ///
    /// # Errors
    /// The first thing that goes otherwise.
    pub fn play(&mut self, path: &str, section: &Section) -> Result<(), Failure> {
        let fail = |line: usize, what: String| Failure {
            path: path.to_owned(),
            line,
            what,
        };
        self.assemble(&section.cast)
            .map_err(|what| fail(section.line, what))?;
        for step in &section.steps {
            self.step(step).map_err(|what| fail(step.line, what))?;
        }
        let last = section.steps.last().map_or(section.line, |step| step.line);
        self.finish().map_err(|what| fail(last, what))
    }

    /// Brings the cast to where the conversation finds it.
    fn assemble(&mut self, cast: &Cast) -> Result<(), String> {
        self.languages.clone_from(&cast.languages);
        self.components = cast.components.keys().cloned().collect();
        self.confirming.clone_from(&cast.confirming);
        for (one, other) in &cast.friends {
            self.befriend(one, other)?;
        }
        for member in &cast.members {
            let until = match member.start {
                Start::Account => continue,
                Start::Joined => {
                    self.join(&member.who)?;
                    self.settle()?;
                    continue;
                }
                Start::Connected => Until::Connected,
                Start::Encrypted => Until::Encrypted,
                Start::LoggedIn => Until::Authenticated,
                Start::Bound | Start::Available(_) => Until::Bound,
            };
            self.log_in(&member.who, PASSWORD, until)?;
            if let Start::Available(priority) = member.start {
                let presence = match priority {
                    0 => "<presence/>".to_owned(),
                    other => format!("<presence><priority>{other}</priority></presence>"),
                };
                self.send(&member.who, presence.into_bytes());
            }
            self.settle()?;
        }
        for session in self.sessions.values_mut() {
            session.inbox.clear();
        }
        Ok(())
    }

    /// Subscribes two accounts to each other, by sessions that are gone afterwards.
    fn befriend(&mut self, one: &str, other: &str) -> Result<(), String> {
        let who = |account: &str| Who {
            account: account.to_owned(),
            resource: Some("setup".to_owned()),
        };
        let both = [(one, other), (other, one)];
        for (account, _) in both {
            self.log_in(&who(account), PASSWORD, Until::Bound)?;
        }
        for kind in ["subscribe", "subscribed"] {
            for (from, to) in both {
                let stanza = format!("<presence to='{to}@{DOMAIN}' type='{kind}'/>");
                self.send(&who(from), stanza.into_bytes());
                self.settle()?;
            }
        }
        for (account, _) in both {
            self.leave(&who(account))?;
        }
        Ok(())
    }

    /// Ends a stream in order, and waits until the server has.
    fn leave(&mut self, who: &Who) -> Result<(), String> {
        self.send(who, waxwing_stream::CLOSE.to_vec());
        while self.session(who)?.open {
            if !self.pump(Wait::Answer)? {
                return Err(format!("the server does not let {who} go"));
            }
        }
        self.sessions.remove(who);
        Ok(())
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        match &step.act {
            Act::Send(who, template) => self.say(who, template),
            Act::Expect {
                who,
                patterns,
                any_order: false,
            } => patterns.iter().try_for_each(|pattern| {
                let came = self.next_of(who, std::slice::from_ref(pattern))?;
                matches(pattern, &came, false, &mut self.bindings)
                    .map_err(|what| self.report(who, pattern, &came, &what))
            }),
            Act::Expect { who, patterns, .. } => self.expect_in_any_order(who, patterns),
            Act::Nothing(all) => {
                self.settle()?;
                all.iter().try_for_each(|who| self.has_nothing(who))
            }
            Act::Disconnected(who) => match self.next_of(who, &[])? {
                Came::Disconnected => Ok(()),
                came => Err(unexpected(who, &came)),
            },
            Act::LogIn {
                who,
                password,
                until,
            } => {
                self.settle()?;
                self.log_in(who, password, *until)
            }
            Act::Join(who) => {
                self.settle()?;
                self.join(who)
            }
            Act::CannotLogIn { who, password } => {
                self.settle()?;
                match self.log_in(who, password, Until::Authenticated) {
                    Ok(()) => Err(format!("{who} can log in")),
                    Err(_) if self.was_refused(who) => {
                        self.sessions.remove(who);
                        Ok(())
                    }
                    Err(other) => Err(other),
                }
            }
            Act::Pass { micros } => self.pass(*micros),
            Act::CutOff(who) => {
                self.settle()?;
                if let Some(session) = self.sessions.remove(who) {
                    self.network.close(session.link);
                }
                self.wait_a_moment()
            }
            Act::Vanish(who) => {
                self.settle()?;
                self.sessions.remove(who);
                Ok(())
            }
            Act::Operate { command, account } => {
                self.settle()?;
                self.network.operate(command, account)?;
                self.wait_a_moment()
            }
            Act::Restart | Act::Crash => {
                self.settle()?;
                self.sessions.clear();
                self.busy_with = None;
                self.network.restart(step.act == Act::Restart)
            }
        }
    }

    fn say(&mut self, who: &Who, template: &Template) -> Result<(), String> {
        if self.busy_with.as_ref().is_some_and(|other| other != who) {
            self.settle()?;
        }
        let bytes = template.fill(&self.bindings)?;
        let names = |ns: &[u8]| bytes.windows(ns.len()).any(|window| window == ns);
        // Of one who waits for something that cannot wait, the answer to a ping would be that.
        let counted = names(b"urn:xmpp:sm:3") || names(b"urn:xmpp:csi:0");
        self.has_answered |= bytes.windows(13).any(|window| window == b"type='result'");
        let session = self
            .sessions
            .get_mut(who)
            .filter(|session| session.open)
            .ok_or_else(|| format!("{who} has no connection"))?;
        session.undisturbed |= template.is_raw || counted;
        self.send(who, bytes);
        self.busy_with = Some(who.clone());
        Ok(())
    }

    fn expect_in_any_order(&mut self, who: &Who, patterns: &[Pattern]) -> Result<(), String> {
        let mut left: Vec<&Pattern> = patterns.iter().collect();
        while let Some(first) = left.first() {
            let came = self.next_of(who, &[(*first).clone()])?;
            let fits = |pattern: &&Pattern| {
                matches(pattern, &came, true, &mut self.bindings.clone()).is_ok()
            };
            // None fits: the one that is most alike shows best what is wrong.
            let at = left.iter().position(fits);
            let alike = || left.iter().position(|pattern| is_alike(pattern, &came));
            let pattern = left.remove(at.or_else(alike).unwrap_or(0));
            matches(pattern, &came, true, &mut self.bindings)
                .map_err(|what| self.report(who, pattern, &came, &what))?;
        }
        Ok(())
    }

    /// The next thing that came to a session, which waits for `wanted`.
    fn next_of(&mut self, who: &Who, wanted: &[Pattern]) -> Result<Came, String> {
        loop {
            if let Some(came) = self.session_mut(who)?.inbox.pop_front() {
                return Ok(came);
            }
            if !self.pump(Wait::Answer)? {
                let mut what = format!("{who} got nothing");
                for pattern in wanted {
                    if let Pattern::Element(pattern) = pattern {
                        let nothing = Element::default();
                        let shown = diff::of_elements(pattern, &nothing, &self.bindings);
                        what.push_str(&format!(", but was to get\n{}", shown.trim_end()));
                    }
                }
                return Err(what);
            }
        }
    }

    fn has_nothing(&mut self, who: &Who) -> Result<(), String> {
        match self.session_mut(who)?.inbox.front() {
            None => Ok(()),
            Some(came) => Err(unexpected(who, came)),
        }
    }

    /// Nothing is left that nobody asserted.
    fn finish(&mut self) -> Result<(), String> {
        self.settle()?;
        let all: Vec<Who> = self.sessions.keys().cloned().collect();
        all.iter().try_for_each(|who| self.has_nothing(who))
    }

    fn report(&self, who: &Who, pattern: &Pattern, came: &Came, what: &str) -> String {
        match (pattern, came) {
            (Pattern::Element(pattern), Came::Element(came)) => {
                let diff = diff::of_elements(pattern, came, &self.bindings);
                format!("{who} got something else: {what}\n{}", diff.trim_end())
            }
            _ => format!("{}\n  {what}", unexpected(who, came)),
        }
    }

    fn pass(&mut self, micros: u64) -> Result<(), String> {
        self.settle()?;
        let until = self.network.now_micros() + micros;
        while self.network.now_micros() < until {
            self.pump(Wait::Until(until))?;
        }
        self.settle()
    }

    fn wait_a_moment(&mut self) -> Result<(), String> {
        while self.pump(Wait::Moment)? {}
        Ok(())
    }

    /// Waits until the server is done with everything that was sent.
    fn settle(&mut self) -> Result<(), String> {
        let undisturbed = |session: &Session<N::Link>| session.open && session.undisturbed;
        if self.network.is_exact() || self.sessions.values().any(undisturbed) {
            self.wait_a_moment()?;
        }
        if !self.network.is_exact() {
            // Once for what each has sent, once for what came of it.
            self.barrier()?;
            if std::mem::take(&mut self.has_answered) {
                self.wait_a_moment()?;
            }
            self.barrier()?;
        }
        self.busy_with = None;
        Ok(())
    }

    /// Pings by every session, and waits for the answers: they come after what was sent before.
    fn barrier(&mut self) -> Result<(), String> {
        let bound: Vec<Who> = self
            .sessions
            .iter()
            .filter(|(who, session)| {
                let ready = session.open && session.state == State::Ready;
                ready && who.resource.is_some() && !session.undisturbed
            })
            .map(|(who, _)| who.clone())
            .collect();
        for who in &bound {
            self.barriers += 1;
            let id = format!("{BARRIER}{}", self.barriers);
            let ping = format!(
                "<iq id='{id}' type='get' to='{DOMAIN}'><ping xmlns='urn:xmpp:ping'/></iq>"
            );
            self.session_mut(who)?.barrier = Some(id);
            self.send(who, ping.into_bytes());
        }
        let waiting = |session: &Session<N::Link>| session.open && session.barrier.is_some();
        while self.sessions.values().any(waiting) {
            if !self.pump(Wait::Answer)? {
                return Err("the server does not answer a ping".to_owned());
            }
        }
        Ok(())
    }

    fn log_in(&mut self, who: &Who, password: &str, until: Until) -> Result<(), String> {
        if self.sessions.get(who).is_some_and(|session| session.open) {
            return Err(format!("{who} is connected already"));
        }
        self.logins += 1;
        // Both in turn, so that every conversation is held over both.
        let is_component = self.components.contains(&who.account);
        let is_plain = match until {
            Until::Connected => true,
            Until::Encrypted => false,
            Until::Authenticated | Until::Bound => self.logins.is_multiple_of(2),
        };
        let (transport, tls) = match is_plain {
            _ if is_component => (Transport::Component, Tls::PlainAllowed),
            true => (Transport::Plain, Tls::PlainAllowed),
            false => (Transport::StartTls, Tls::Required),
        };
        let link = self.network.connect(transport)?;
        let lang = self.languages.get(who).cloned();
        let settings = Settings {
            lang,
            ..settings(who, password)?
        };
        let mut seed = [0; 32];
        self.dice.fill(&mut seed);
        let session = Session {
            link,
            stream: ClientStream::new(settings, tls, seed, until),
            inbox: VecDeque::new(),
            state: match until {
                Until::Connected => State::Ready,
                Until::Encrypted | Until::Authenticated | Until::Bound => State::Negotiating,
            },
            open: true,
            undisturbed: until != Until::Bound,
            barrier: None,
            is_component,
            confirms_itself: self.confirming.contains(&who.account),
        };
        self.sessions.insert(who.clone(), session);
        self.flush(who)?;
        loop {
            let session = self.session(who)?;
            match &session.state {
                State::Ready => return Ok(()),
                State::Refused(why) => return Err(format!("{who} cannot log in: {why}")),
                State::Negotiating if !session.open => {
                    return Err(format!("{who} cannot log in: the connection is gone"));
                }
                State::Negotiating => {}
            }
            if !self.pump(Wait::Answer)? {
                return Err(format!("{who} cannot log in: the server says nothing"));
            }
        }
    }

    /// Brings a component to where stanzas may be sent.
    fn join(&mut self, who: &Who) -> Result<(), String> {
        self.log_in(who, PASSWORD, Until::Connected)?;
        let secret = Secret::new(PASSWORD).map_err(|error| error.to_string())?;
        let mut connector = Connector::new(&format!("{}.{DOMAIN}", who.account), secret);
        loop {
            while let Some(output) = connector.poll() {
                match output {
                    ConnectorOutput::Send(bytes) => self.send(who, bytes.to_vec()),
                    ConnectorOutput::Ready => return Ok(()),
                    ConnectorOutput::Close(error) => {
                        return Err(format!("{who} cannot join: {error}"));
                    }
                }
            }
            match self.next_of(who, &[])? {
                Came::Header(header) => connector.handle_event(Event::Header(header)),
                Came::Element(element) if element.is(ns::CLIENT, "handshake") => return Ok(()),
                came => return Err(unexpected(who, &came)),
            }
        }
    }

    fn was_refused(&self, who: &Who) -> bool {
        self.sessions
            .get(who)
            .is_some_and(|session| matches!(session.state, State::Refused(_)))
    }

    fn send(&mut self, who: &Who, bytes: Vec<u8>) {
        if let Some(session) = self.sessions.get_mut(who) {
            session.stream.send(Bytes::from(bytes));
            for bytes in session.stream.take_output() {
                self.network.write(session.link, &bytes);
            }
        }
    }

    /// Lets one thing happen; false if nothing does.
    fn pump(&mut self, wait: Wait) -> Result<bool, String> {
        match self.network.next(wait) {
            Happened::Nothing => Ok(false),
            Happened::Received(link, bytes) => {
                if let Some(who) = self.at(link) {
                    self.session_mut(&who)?.stream.receive(&bytes);
                    self.flush(&who)?;
                }
                Ok(true)
            }
            Happened::Disconnected(link) => {
                if let Some(who) = self.at(link) {
                    let session = self.session_mut(&who)?;
                    session.open = false;
                    session.inbox.push_back(Came::Disconnected);
                }
                Ok(true)
            }
        }
    }

    /// Writes what a stream wants written, and takes in what it says.
    fn flush(&mut self, who: &Who) -> Result<(), String> {
        loop {
            let session = self
                .sessions
                .get_mut(who)
                .ok_or_else(|| format!("{who} has no connection"))?;
            while let Some(said) = session.stream.poll() {
                session.take(said);
            }
            for bytes in session.stream.take_output() {
                self.network.write(session.link, &bytes);
            }
            match session.stream.wants() {
                Some(Wants::StartTls) => {
                    let binding = self.network.start_tls(session.link)?;
                    session.stream.tls_started(binding);
                }
                Some(Wants::Close) if session.open => {
                    session.open = false;
                    self.network.close(session.link);
                    return Ok(());
                }
                Some(Wants::Close) | None => return Ok(()),
            }
        }
    }

    fn at(&self, link: N::Link) -> Option<Who> {
        let mut sessions = self.sessions.iter();
        sessions
            .find(|(_, session)| session.link == link)
            .map(|(who, _)| who.clone())
    }

    fn session(&self, who: &Who) -> Result<&Session<N::Link>, String> {
        let session = self.sessions.get(who);
        session.ok_or_else(|| format!("{who} has no connection"))
    }

    fn session_mut(&mut self, who: &Who) -> Result<&mut Session<N::Link>, String> {
        let session = self.sessions.get_mut(who);
        session.ok_or_else(|| format!("{who} has no connection"))
    }
}

fn settings(who: &Who, password: &str) -> Result<Settings, String> {
    let account: Result<BareJid, _> = format!("{}@{DOMAIN}", who.account).parse();
    let account = account.map_err(|error| error.to_string())?;
    let password = Password::prepare(password).map_err(|error| error.to_string())?;
    let mut settings = Settings::new(account, password);
    settings.resource.clone_from(&who.resource);
    settings.iterations = 1..=*settings.iterations.end();
    settings.stream_management = None;
    Ok(settings)
}
