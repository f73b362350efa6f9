//! External components that die, are silent, or are asked more than they answer (XEP-0114, XEP-0199, XEP-0355).

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use waxwing_server::component::NamespaceGrant;
use waxwing_server::{ComponentSettings, Grants, OptionValue, Security, Settings};
use waxwing_stanza::{BareJid, Reply};
use waxwing_stream::client::{Settings as ClientSettings, Tls};
use waxwing_stream::component::{Connector, ConnectorOutput, Secret};
use waxwing_stream::sasl::Password;
use waxwing_testkit::{
    ClientStream, Cut, Dice, Direction, Happening, LinkId, Said, Seed, Until, World,
};
use waxwing_wire::{Event, Limits, Reader, Stanza};

const HOST: &str = "irc.example.org";
const ASKED: &str = "urn:example:asked";

/// What the component does with pings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pings {
    Answered,
    Kept,
}

struct Component {
    link: LinkId,
    reader: Reader,
    connector: Connector,
    is_let_in: bool,
    pings: Pings,
    /// Pings that are kept.
    kept: Vec<Stanza>,
    came: Vec<Stanza>,
}

struct Scene {
    world: World,
    /// Alice, and Bob.
    clients: Vec<(LinkId, ClientStream)>,
    said: Vec<Vec<Stanza>>,
    component: Option<Component>,
}

impl Scene {
    fn new(seed: u64, options: &[(&str, OptionValue)]) -> Scene {
        let asked = NamespaceGrant {
            namespace: ASKED.to_owned(),
            attributes: Vec::new(),
        };
        let component = ComponentSettings {
            secret: Secret::new("pencil").unwrap(),
            grants: Grants {
                delegated: vec![asked],
                ..Grants::default()
            },
        };
        let options = options.iter();
        let settings = Settings {
            domains: vec!["example.org".to_owned()],
            components: BTreeMap::from([(HOST.to_owned(), component)]),
            options: options
                .map(|(name, value)| ((*name).to_owned(), value.clone()))
                .collect(),
            ..Settings::default()
        };
        let mut scene = Scene {
            world: World::new(settings, Seed(seed)).unwrap(),
            clients: Vec::new(),
            said: Vec::new(),
            component: None,
        };
        for name in ["alice", "bob"] {
            let jid: BareJid = format!("{name}@example.org").parse().unwrap();
            scene.world.add_account(&jid, "pencil").unwrap();
            scene.log_in(jid);
        }
        scene
    }

    fn log_in(&mut self, jid: BareJid) {
        let mut settings = ClientSettings::new(jid, Password::prepare("pencil").unwrap());
        settings.iterations = 1..=*settings.iterations.end();
        settings.stream_management = None;
        let link = self.world.connect(&Security::PlainLoopback);
        let stream = ClientStream::new(settings, Tls::PlainAllowed, [5; 32], Until::Bound);
        self.clients.push((link, stream));
        self.said.push(Vec::new());
        self.run(1);
    }

    /// A component connects, and is let in.
    fn join(&mut self, pings: Pings) {
        self.component = Some(Component {
            link: self.world.connect_component(),
            reader: Reader::new(Limits::SERVER),
            connector: Connector::new(HOST, Secret::new("pencil").unwrap()),
            is_let_in: false,
            pings,
            kept: Vec::new(),
            came: Vec::new(),
        });
        self.work();
    }

    fn component(&mut self) -> &mut Component {
        self.component.as_mut().unwrap()
    }

    /// The component dies.
    fn cut(&mut self, cut: Cut) -> Vec<Stanza> {
        match self.component.take() {
            Some(component) => {
                self.world.cut(component.link, cut);
                component.came
            }
            None => Vec::new(),
        }
    }

    fn say(&mut self, who: usize, xml: String) {
        self.clients[who].1.send(xml.into());
    }

    /// Writes what everybody has to say.
    fn work(&mut self) {
        for (link, stream) in &mut self.clients {
            for bytes in stream.take_output() {
                self.world.write(*link, &bytes);
            }
        }
        if let Some(component) = self.component.as_mut() {
            component.shake_hands(&mut self.world);
        }
    }

    /// Lets so many milliseconds pass.
    fn run_millis(&mut self, millis: u64) {
        let until = self.world.now_micros() + millis * 1_000;
        loop {
            self.work();
            match self.world.next(until) {
                Happening::Idle => return,
                Happening::Disconnected(_) => {}
                Happening::Received(at, bytes) => self.receive(at, &bytes),
            }
        }
    }

    fn run(&mut self, secs: u64) {
        self.run_millis(secs * 1_000);
    }

    fn receive(&mut self, at: LinkId, bytes: &[u8]) {
        let clients = self.clients.iter_mut().zip(&mut self.said);
        for ((link, stream), said) in clients {
            if *link == at {
                stream.receive(bytes);
                while let Some(came) = stream.poll() {
                    match came {
                        Said::Element(stanza) => said.push(stanza),
                        Said::Garbled(error) => panic!("{error}"),
                        _ => {}
                    }
                }
            }
        }
        if let Some(component) = self.component.as_mut()
            && component.link == at
        {
            component.receive(bytes, &mut self.world);
        }
    }
}

impl Component {
    fn shake_hands(&mut self, world: &mut World) {
        while let Some(output) = self.connector.poll() {
            match output {
                ConnectorOutput::Send(bytes) => world.write(self.link, &bytes),
                ConnectorOutput::Ready => self.is_let_in = true,
                ConnectorOutput::Close(error) => panic!("{error}"),
            }
        }
    }

    fn receive(&mut self, bytes: &[u8], world: &mut World) {
        self.reader.push(bytes);
        while let Some(event) = self.reader.next().unwrap() {
            match event {
                _ if !self.is_let_in => {
                    self.connector.handle_event(event);
                    self.shake_hands(world);
                }
                Event::Stanza(stanza) if stanza.has_child("urn:xmpp:ping", "ping") => {
                    match self.pings {
                        Pings::Answered => world.write(self.link, &answer(&stanza)),
                        Pings::Kept => self.kept.push(stanza),
                    }
                }
                Event::Stanza(stanza) => self.came.push(stanza),
                _ => {}
            }
        }
    }
}

fn answer(ping: &Stanza) -> Vec<u8> {
    Reply::new(ping).result(None).unwrap().to_vec()
}

/// The numbers of messages, in the order in which they came.
fn numbers(came: &[Stanza]) -> Vec<u64> {
    let messages = came.iter().filter(|stanza| stanza.name() == "message");
    messages
        .filter_map(|stanza| stanza.id()?.parse().ok())
        .collect()
}

fn message(number: u64) -> String {
    format!("<message to='room@{HOST}' type='chat' id='{number}'><body>{number}</body></message>")
}

/// A component is cut off at any moment, its connection too: all that was sent to it comes, in order in
/// each stream, and nothing comes again that it has confirmed.
#[test]
fn a_component_that_dies_misses_nothing() {
    for seed in 0..60 {
        let mut scene = Scene::new(seed, &[]);
        let mut dice = Dice::new(Seed(seed).of(9));
        let (mut sent, mut read) = (0, Vec::new());
        for _ in 0..40 {
            match dice.below(8) {
                0 | 1 => {
                    let came = scene.cut(Cut::Clean);
                    read.push(numbers(&came));
                }
                2 if scene.component.is_none() => scene.join(Pings::Answered),
                3 if scene.component.is_some() => {
                    let link = scene.component().link;
                    let bytes = scene.world.carried(link, Direction::Down) + dice.below(3_000);
                    scene
                        .world
                        .cut_after(link, Direction::Down, bytes, Cut::Clean);
                }
                _ => {
                    for _ in 0..dice.below(12) {
                        scene.say(0, message(sent));
                        sent += 1;
                    }
                }
            }
            scene.run_millis(dice.below(400));
        }
        read.push(numbers(&scene.cut(Cut::Clean)));
        scene.run(1);
        scene.join(Pings::Answered);
        scene.run(5);
        read.push(numbers(&scene.cut(Cut::Clean)));
        scene.run(1);
        scene.join(Pings::Answered);
        scene.run(5);
        let again = numbers(&scene.component().came);
        assert!(again.is_empty(), "seed {seed}: {again:?}");

        for stream in &read {
            assert!(stream.is_sorted(), "seed {seed}: {stream:?}");
        }
        let mut all = read.concat();
        all.sort_unstable();
        all.dedup();
        assert!(all.into_iter().eq(0..sent), "seed {seed}: {read:?}");
    }
}

/// What was written and not confirmed is bounded; the rest waits in the log, and comes.
#[test]
fn a_component_that_confirms_nothing_for_long_gets_the_rest_from_the_log() {
    const MESSAGES: u64 = 10_300;
    let most = OptionValue::Number(20_000);
    let mut scene = Scene::new(1, &[("undelivered_messages_max", most)]);
    scene.join(Pings::Answered);
    scene.run(1);
    scene.component().pings = Pings::Kept;
    for number in 0..MESSAGES {
        scene.say(0, message(number));
        if number.is_multiple_of(100) {
            scene.run_millis(50);
        }
    }
    scene.run(5);
    let written = scene.component().came.len();
    assert!((9_990..10_010).contains(&written), "{written}");
    let Scene {
        component, world, ..
    } = &mut scene;
    let component = component.as_mut().unwrap();
    component.pings = Pings::Answered;
    let kept = component.kept.pop().unwrap();
    world.write(component.link, &answer(&kept));
    scene.run(30);
    let came = numbers(&scene.component().came);
    assert!(came.into_iter().eq(0..MESSAGES));
}

/// One who asks a component more than it answers is refused at their own share, and all are answered when it is gone.
#[test]
fn nobody_has_all_questions_to_a_component() {
    let mut scene = Scene::new(1, &[]);
    scene.join(Pings::Answered);
    scene.run(1);
    for number in 0..300 {
        let question = format!("<iq type='get' id='{number}'><q xmlns='{ASKED}'/></iq>");
        scene.say(0, question);
    }
    scene.run(5);
    let answers = |scene: &Scene, who: usize, condition: &str| {
        let bytes = scene.said[who].iter().map(|stanza| stanza.bytes().to_vec());
        let texts = bytes.map(|bytes| String::from_utf8(bytes).unwrap());
        texts.filter(|text| text.contains(condition)).count()
    };
    assert_eq!(answers(&scene, 0, "<resource-constraint"), 44);
    assert_eq!(scene.said[0].len(), 44);
    scene.say(
        1,
        format!("<iq type='get' id='1'><q xmlns='{ASKED}'/></iq>"),
    );
    scene.run(1);
    assert_eq!(answers(&scene, 1, "type='error'"), 0);
    let asked = scene.component().came.iter();
    let of_bob = asked.filter(|stanza| {
        let text = String::from_utf8(stanza.bytes().to_vec()).unwrap();
        text.contains("from='bob@example.org/")
    });
    assert_eq!(of_bob.count(), 1);
    scene.cut(Cut::Clean);
    scene.run(1);
    assert_eq!(scene.said[0].len(), 300);
    assert_eq!(answers(&scene, 1, "type='error'"), 1);
}
