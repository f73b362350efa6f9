// The two libraries, each as something that logs in, says, and waits for what comes.

import { client, xml } from "@xmpp/client";
import { $iq, $msg, $pres, Strophe } from "strophe.js";
import WebSocket from "ws";
import xhr from "xmlhttprequest-ssl";

import { bosh, later, websocket } from "./harness.mjs";

// What browsers have and Node has not.
globalThis.WebSocket ??= WebSocket;
globalThis.XMLHttpRequest ??= function () {
  const request = new (xhr.XMLHttpRequest ?? xhr)();
  const parse = () => new DOMParser().parseFromString(request.responseText, "text/xml");
  const get = () => (request.readyState === 4 && request.responseText ? parse() : null);
  return Object.defineProperty(request, "responseXML", { get });
};
Strophe.setLogLevel(Strophe.LogLevel.ERROR);

// Things that came, and who waits for one.
export class Inbox {
  all = [];
  #waiting = [];

  put(thing) {
    this.all.push(thing);
    this.#waiting = this.#waiting.filter((one) => !one(thing));
  }

  first(matches) {
    const found = this.all.find(matches);
    if (found) return Promise.resolve(found);
    return new Promise((done) => {
      this.#waiting.push((thing) => matches(thing) && (done(thing), true));
    });
  }

  bodies() {
    return this.all.filter((thing) => thing.body != null).map((thing) => thing.body);
  }
}

export { xml };

export class Xmpp {
  inbox = new Inbox();

  constructor(account) {
    const { node: username, domain, password } = account;
    this.xmpp = client({ service: websocket, domain, username, password });
    this.xmpp.on("error", (error) => this.inbox.put({ error }));
    this.xmpp.on("stanza", (stanza) => {
      const body = stanza.is("message") ? stanza.getChildText("body") : null;
      const presence = stanza.is("presence") ? (stanza.attrs.type ?? "available") : null;
      this.inbox.put({ stanza, body, from: stanza.attrs.from, presence });
    });
    later(() => this.xmpp.stop());
  }

  async online() {
    this.address = await this.xmpp.start();
    await this.xmpp.send(xml("presence"));
    // What was said before is worked on when this is answered.
    await this.xmpp.iqCaller.get(xml("ping", "urn:xmpp:ping"));
    return this;
  }

  presence(attributes, ...children) {
    return this.xmpp.send(xml("presence", attributes, ...children));
  }

  say(to, text) {
    return this.xmpp.send(xml("message", { to, type: "chat" }, xml("body", {}, text)));
  }

  hears(text) {
    return this.inbox.first((thing) => thing.body === text);
  }

  // Presence of this kind from an address, or from one of its resources.
  sees(presence, address) {
    return this.inbox.first((thing) => thing.presence === presence && thing.from.split("/")[0] === address);
  }
}

const NAMES = Object.fromEntries(Object.entries(Strophe.Status).map(([name, status]) => [status, name]));

export class StropheClient {
  inbox = new Inbox();

  constructor(service, options = {}) {
    this.connection = new Strophe.Connection(service, options);
    this.connection.addHandler((stanza) => {
      const body = stanza.getElementsByTagName("body")[0]?.textContent ?? null;
      this.inbox.put({ stanza, body, from: stanza.getAttribute("from"), presence: null });
      return true;
    }, null, "message");
    this.connection.addHandler((stanza) => {
      const presence = stanza.getAttribute("type") ?? "available";
      this.inbox.put({ stanza, body: null, from: stanza.getAttribute("from"), presence });
      return true;
    }, null, "presence");
    later(() => this.connection.disconnect("over"));
  }

  status = (status, condition) => this.inbox.put({ status: NAMES[status], condition });

  connect({ jid, password }) {
    this.connection.connect(jid, password, this.status);
  }

  is(...names) {
    return this.inbox.first((thing) => names.includes(thing.status));
  }

  async online(account) {
    this.connect(account);
    const { status } = await this.is("CONNECTED", "AUTHFAIL", "CONNFAIL", "DISCONNECTED");
    if (status !== "CONNECTED") throw new Error(`strophe.js is ${status}`);
    await this.present();
    return this;
  }

  async present() {
    this.connection.send($pres());
    await this.ask($iq({ type: "get" }).c("ping", { xmlns: "urn:xmpp:ping" }));
  }

  ask(iq) {
    return new Promise((done, refuse) => this.connection.sendIQ(iq, done, refuse));
  }

  presence(attributes) {
    this.connection.send($pres(attributes));
  }

  say(to, text) {
    this.connection.send($msg({ to, type: "chat" }).c("body").t(text));
  }

  hears(text) {
    return this.inbox.first((thing) => thing.body === text);
  }

  // Presence of this kind from an address, or from one of its resources.
  sees(presence, address) {
    return this.inbox.first((thing) => thing.presence === presence && thing.from.split("/")[0] === address);
  }
}

export const overBosh = () => new StropheClient(bosh);
export const overWebSocket = () => new StropheClient(websocket);
export { $iq, $pres };

export const rosterOf = (client) => client.xmpp.iqCaller.get(xml("query", "jabber:iq:roster"));

// Each asks the other, and sees the other from then on. Both have asked for their rosters: others are not told of answers.
export async function subscribe(one, alice, other, bob) {
  for (const [asker, from, asked, to] of [[one, alice, other, bob], [other, bob, one, alice]]) {
    await asker.presence({ to: to.jid, type: "subscribe" });
    await asked.sees("subscribe", from.jid);
    await asked.presence({ to: from.jid, type: "subscribed" });
    await asker.sees("subscribed", to.jid);
    await asker.sees("available", to.jid);
  }
}
