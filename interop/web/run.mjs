// @xmpp/client and strophe.js against the server, in Node and in Chromium.

import { bosh, account, check, equal, run, test } from "./harness.mjs";
import { $iq, StropheClient, Xmpp, overBosh, overWebSocket, rosterOf, subscribe, xml } from "./clients.mjs";
import "./browser.mjs";

test("xmpp_client/chat_with_strophe_over_bosh", async () => {
  const [alice, bob] = [account(), account()];
  const one = await new Xmpp(alice).online();
  const other = await overBosh().online(bob);
  await one.say(bob.jid, "over a WebSocket <&>");
  const { from } = await other.hears("over a WebSocket <&>");
  equal(from, one.address.toString(), "sender");
  other.say(alice.jid, "over requests 🐦");
  await one.hears("over requests 🐦");
});

test("xmpp_client/roster", async () => {
  const alice = await new Xmpp(account()).online();
  const item = { jid: "friend@localhost", name: "A friend" };
  await alice.xmpp.iqCaller.set(xml("query", "jabber:iq:roster", xml("item", item)));
  const roster = await alice.xmpp.iqCaller.get(xml("query", "jabber:iq:roster"));
  equal(roster.getChildren("item").map((item) => item.attrs.name), ["A friend"], "roster");
});

const askRoster = (client) => client.ask($iq({ type: "get" }).c("query", { xmlns: "jabber:iq:roster" }));

test("xmpp_client/subscription_and_presence", async () => {
  const [alice, bob] = [account(), account()];
  const one = await new Xmpp(alice).online();
  const other = await new Xmpp(bob).online();
  await Promise.all([one, other].map(rosterOf));
  await subscribe(one, alice, other, bob);
  const roster = await rosterOf(one);
  const found = roster.getChildren("item").map(({ attrs }) => [attrs.jid, attrs.subscription]);
  equal(found, [[bob.jid, "both"]], "roster");
  await other.presence({}, xml("show", {}, "away"), xml("status", {}, "Out for tea"));
  const { stanza } = await one.inbox.first(({ stanza }) => stanza?.getChildText("show") === "away");
  equal([stanza.attrs.from, stanza.getChildText("status")], [other.address.toString(), "Out for tea"], "presence");
  await other.xmpp.stop();
  await one.sees("unavailable", bob.jid);
});

// Not that they come once: it counts one stanza too few where one comes together with <enabled/>, and so never acknowledges
// the last one.
test("xmpp_client/offline", async () => {
  const [alice, bob] = [account(), account()];
  const one = await new Xmpp(alice).online();
  for (const text of ["one", "two", "three"]) await one.say(bob.jid, text);
  await one.xmpp.iqCaller.get(xml("ping", "urn:xmpp:ping"));
  const other = await new Xmpp(bob).online();
  await other.hears("three");
  equal(other.inbox.bodies(), ["one", "two", "three"], "messages");
  const messages = other.inbox.all.filter(({ body }) => body != null);
  const since = messages.map(({ stanza }) => stanza.getChild("delay", "urn:xmpp:delay")?.attrs.stamp);
  check(since.every(Boolean), `a message that waited does not say since when: ${since}`);
});

test("xmpp_client/wrong_password", async () => {
  const alice = new Xmpp({ ...account(), password: "not this one" });
  const error = await alice.xmpp.start().then(() => null, (error) => error);
  equal(error?.condition, "not-authorized", "condition");
});

test("xmpp_client/resumption", async () => {
  const [alice, bob] = [account(), account()];
  const one = await new Xmpp(alice).online();
  const other = await new Xmpp(bob).online();
  const resumed = new Promise((done) => one.xmpp.streamManagement.on("resumed", done));
  const cut = new Promise((done) => one.xmpp.once("disconnect", done));
  // The socket is gone without a word.
  one.xmpp.socket.socket.terminate();
  await cut;
  await other.say(alice.jid, "while you were away");
  await resumed;
  await one.hears("while you were away");
  await other.say(alice.jid, "marker");
  await one.hears("marker");
  equal(one.inbox.bodies(), ["while you were away", "marker"], "messages, each once");
});

// More than proxies hold by themselves.
test("xmpp_client/upload", async () => {
  const one = await new Xmpp(account()).online();
  const content = new Uint8Array(3_000_000).map((_, at) => at % 251);
  const upload = "urn:xmpp:http:upload:0";
  const wish = { filename: "a b.bin", size: String(content.length), "content-type": "application/octet-stream" };
  const request = xml("iq", { type: "get", to: "localhost" }, xml("request", { xmlns: upload, ...wish }));
  const slot = (await one.xmpp.iqCaller.request(request)).getChild("slot", upload);
  const headers = { "Content-Type": "application/octet-stream" };
  for (const header of slot.getChild("put").getChildren("header")) headers[header.attrs.name] = header.text();
  const put = await fetch(slot.getChild("put").attrs.url, { method: "PUT", headers, body: content });
  equal(put.status, 201, "what the file gets");
  const url = slot.getChild("get").attrs.url;
  const whole = new Uint8Array(await (await fetch(url)).arrayBuffer());
  check(whole.length === content.length && whole.every((byte, at) => byte === content[at]), "it is another file");
  const part = await fetch(url, { headers: { Range: "bytes=2999998-" } });
  equal([part.status, part.headers.get("content-range")], [206, "bytes 2999998-2999999/3000000"], "a part");
});

test("strophe/chat_over_websocket", async () => {
  const [alice, bob] = [account(), account()];
  const one = await overWebSocket().online(alice);
  const other = await overWebSocket().online(bob);
  one.say(bob.jid, "hello");
  await other.hears("hello");
  other.say(alice.jid, "hello yourself");
  await one.hears("hello yourself");
});

test("strophe/roster", async () => {
  const alice = await overBosh().online(account());
  const query = (type) => $iq({ type }).c("query", { xmlns: "jabber:iq:roster" });
  await alice.ask(query("set").c("item", { jid: "friend@localhost", name: "A friend" }));
  const items = [...(await alice.ask(query("get"))).getElementsByTagName("item")];
  equal(items.map((item) => item.getAttribute("name")), ["A friend"], "roster");
});

test("strophe/subscription_and_presence", async () => {
  const [alice, bob] = [account(), account()];
  const one = await overBosh().online(alice);
  const other = await overWebSocket().online(bob);
  await Promise.all([one, other].map(askRoster));
  await subscribe(one, alice, other, bob);
  const { from } = await one.sees("available", bob.jid);
  equal(from, other.connection.jid, "who is seen");
  other.connection.disconnect("over");
  await one.sees("unavailable", bob.jid);
});

test("strophe/many_messages_over_bosh_keep_their_order", async () => {
  const [alice, bob] = [account(), account()];
  const one = await overBosh().online(alice);
  const other = await overBosh().online(bob);
  const texts = Array.from({ length: 200 }, (_, number) => `message ${number}`);
  for (const text of texts) one.say(bob.jid, text);
  await other.hears(texts.at(-1));
  equal(other.inbox.bodies(), texts, "messages");
});

test("strophe/wrong_password_over_bosh", async () => {
  const alice = overBosh();
  alice.connect({ ...account(), password: "not this one" });
  const { status } = await alice.is("AUTHFAIL", "CONNECTED", "CONNFAIL");
  equal(status, "AUTHFAIL", "status");
});

// As when a browser goes from one page to another: the session goes on.
test("strophe/a_bosh_session_is_handed_on", async () => {
  const [alice, bob] = [account(), account()];
  const first = await overBosh().online(alice);
  const { jid, rid, _proto } = first.connection;
  first.connection.pause();
  // The request that is held stays with the former page, and is repeated by the next one.
  const next = new StropheClient(bosh);
  next.connection.attach(jid, _proto.sid, Number(_proto.rid ?? rid), next.status);
  await next.is("ATTACHED");
  const other = await overBosh().online(bob);
  other.say(jid, "to the same session");
  const heard = [next, first].map((client) => client.hears("to the same session"));
  await Promise.race(heard);
  await next.ask($iq({ type: "get" }).c("ping", { xmlns: "urn:xmpp:ping" }));
});

test("strophe/offline_messages_come_once_over_bosh", async () => {
  const [alice, bob] = [account(), account()];
  const sender = await new Xmpp(alice).online();
  await sender.say(bob.jid, "for later");
  await sender.xmpp.iqCaller.get(xml("ping", "urn:xmpp:ping"));
  const first = await overBosh().online(bob);
  await first.hears("for later");
  // What it has said since shows that the response came through.
  for (let count = 0; count < 3; count += 1) await first.present();
  first.connection.disconnect("over");
  await first.is("DISCONNECTED");
  const second = await overBosh().online(bob);
  await sender.say(bob.jid, "marker");
  await second.hears("marker");
  equal(second.inbox.bodies(), ["marker"], "messages");
});

process.exit(await run(process.env.PARTNER ?? "web", process.argv.slice(2)));
