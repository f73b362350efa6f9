//! Stanzas as a server of our days sees them, the same in every run.

/// That many stanzas, of all kinds in turn.
pub(crate) fn stanzas(count: usize) -> Vec<Vec<u8>> {
    (0..count)
        .map(|number| KINDS[number % KINDS.len()](number).into_bytes())
        .collect()
}

const KINDS: &[fn(usize) -> String] = &[
    chat,
    omemo,
    presence,
    groupchat,
    chat_cyrillic,
    disco,
    archive,
    marker,
    muc_presence,
    roster,
];

const SENTENCES: &[&str] = &[
    "ok",
    "Did you see the notes from yesterday's meeting? I put them into the shared folder &amp; wrote to Ann.",
    "See https://example.org/path?query=1&amp;other=2#fragment for the details.",
    "It's fine &lt;3",
    "The quick brown fox jumps over the lazy dog, again and again, until somebody stops it or it is tired.",
    "brb 🙂",
];

const CYRILLIC: &[&str] = &[
    "Привет! Когда собираемся? Я освобожусь около шести, если поезд не опоздает.",
    "Да",
    "今天晚上一起吃饭吧,我在车站等你。",
];

fn user(number: usize) -> &'static str {
    ["alice", "bob", "carol.smith", "d.montague", "eve"][number % 5]
}

fn base64(number: usize, length: usize) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit = |index: usize| DIGITS[(number * 31 + index * 17 + index * index * 7) % 64] as char;
    (0..length).map(digit).collect()
}

fn chat(number: usize) -> String {
    format!(
        "<message to='{}@example.org/Conversations.{}' from='{}@example.net/gajim.{}' type='chat' id='{:08x}-4b2c-4f0e-9c1d-8f3a2b1c0d9e'>\
         <body>{}</body><active xmlns='http://jabber.org/protocol/chatstates'/>\
         <request xmlns='urn:xmpp:receipts'/><markable xmlns='urn:xmpp:chat-markers:0'/>\
         <origin-id xmlns='urn:xmpp:sid:0' id='{:08x}-4b2c-4f0e-9c1d-8f3a2b1c0d9e'/></message>",
        user(number),
        base64(number, 6),
        user(number + 1),
        base64(number + 1, 8),
        number,
        SENTENCES[number % SENTENCES.len()],
        number
    )
}

fn chat_cyrillic(number: usize) -> String {
    format!(
        "<message xml:lang='ru' to='{}@example.org' type='chat' id='{number}'><body>{}</body>\
         <active xmlns='http://jabber.org/protocol/chatstates'/><request xmlns='urn:xmpp:receipts'/></message>",
        user(number),
        CYRILLIC[number % CYRILLIC.len()]
    )
}

fn omemo(number: usize) -> String {
    let keys: String = (0..5)
        .map(|key| {
            format!(
                "<key rid='{}' prekey='true'>{}</key>",
                1_000_003 * (key + number % 977 + 1),
                base64(number + key, 128)
            )
        })
        .collect();
    format!(
        "<message to='{}@example.org' type='chat' id='{number}'><encrypted xmlns='eu.siacs.conversations.axolotl'>\
         <header sid='{}'>{keys}<iv>{}</iv></header><payload>{}</payload></encrypted>\
         <encryption xmlns='urn:xmpp:eme:0' namespace='eu.siacs.conversations.axolotl' name='OMEMO'/>\
         <body>I sent you an OMEMO encrypted message</body><store xmlns='urn:xmpp:hints'/></message>",
        user(number),
        number * 7919 % 1_000_000,
        base64(number, 16),
        base64(number, 60 + number % 80)
    )
}

fn presence(number: usize) -> String {
    format!(
        "<presence from='{}@example.net/{}'><show>away</show><priority>5</priority>\
         <c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='https://conversations.im' ver='{}='/>\
         <x xmlns='vcard-temp:x:update'><photo>{:040x}</photo></x>\
         <idle xmlns='urn:xmpp:idle:1' since='2026-03-0{}T08:15:30Z'/></presence>",
        user(number),
        base64(number, 8),
        base64(number, 27),
        number * 0x9E37_79B9,
        number % 9 + 1
    )
}

fn muc_presence(number: usize) -> String {
    format!(
        "<presence from='garden@rooms.example.org/{}' to='{}@example.net/{}'>\
         <x xmlns='http://jabber.org/protocol/muc#user'><item affiliation='member' role='participant' jid='{}@example.com/x'/>\
         <status code='100'/><status code='110'/></x>\
         <occupant-id xmlns='urn:xmpp:occupant-id:0' id='{}'/></presence>",
        user(number),
        user(number + 2),
        base64(number, 8),
        user(number),
        base64(number, 43)
    )
}

fn groupchat(number: usize) -> String {
    format!(
        "<message type=\"groupchat\" from=\"garden@rooms.example.org/{}\" to=\"{}@example.net/{}\" id=\"{number}\">\
         <body>{}</body><stanza-id xmlns=\"urn:xmpp:sid:0\" by=\"garden@rooms.example.org\" id=\"{:016}\"/>\
         <occupant-id xmlns=\"urn:xmpp:occupant-id:0\" id=\"{}\"/>\
         <reply xmlns=\"urn:xmpp:reply:0\" to=\"garden@rooms.example.org/bob\" id=\"{}\"/></message>",
        user(number),
        user(number + 3),
        base64(number, 8),
        SENTENCES[(number + 1) % SENTENCES.len()],
        number * 1_000_003,
        base64(number, 43),
        number / 2
    )
}

fn disco(number: usize) -> String {
    let features: String = [
        "urn:xmpp:ping",
        "jabber:iq:version",
        "urn:xmpp:carbons:2",
        "urn:xmpp:mam:2",
        "http://jabber.org/protocol/disco#info",
        "urn:xmpp:receipts",
        "vcard-temp",
        "urn:xmpp:jingle:1",
    ]
    .iter()
    .map(|feature| format!("<feature var='{feature}'/>\n"))
    .collect();
    format!(
        "<iq type='result' id='d{number}' to='{}@example.net/{}' from='example.org'>\n\
         <query xmlns='http://jabber.org/protocol/disco#info'>\n<identity category='server' type='im' name='Example &amp; Co'/>\n\
         {features}</query>\n</iq>",
        user(number),
        base64(number, 8)
    )
}

fn archive(number: usize) -> String {
    format!(
        "<message to='{0}@example.net/{1}'><result xmlns='urn:xmpp:mam:2' queryid='f27' id='{2:016}'>\
         <forwarded xmlns='urn:xmpp:forward:0'><delay xmlns='urn:xmpp:delay' stamp='2026-07-10T23:08:25Z'/>\
         <message xmlns='jabber:client' to='{0}@example.net' from='{3}@example.org/x' type='chat' id='{2}'><body>{4}</body>\
         <request xmlns='urn:xmpp:receipts'/></message></forwarded></result></message>",
        user(number),
        base64(number, 8),
        number * 1_000_003,
        user(number + 1),
        SENTENCES[(number + 2) % SENTENCES.len()]
    )
}

fn marker(number: usize) -> String {
    format!(
        "<message to='{}@example.org' type='chat' id='{number}'><displayed xmlns='urn:xmpp:chat-markers:0' id='{:08x}'/>\
         <no-store xmlns='urn:xmpp:hints'/></message>",
        user(number),
        number * 31
    )
}

fn roster(number: usize) -> String {
    let items: String = (0..8)
        .map(|item| {
            format!("<item jid='{}{item}@example.com' name='{} {item}' subscription='both'><group>Friends</group></item>", user(number + item), user(item))
        })
        .collect();
    format!(
        "<iq type='result' id='r{number}'><query xmlns='jabber:iq:roster' ver='{number}'>{items}</query></iq>"
    )
}
