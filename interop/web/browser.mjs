// Chromium: pages of the server's host and of another one.

import { join } from "node:path";

import { artifact, launch, packages, serve } from "./chromium.mjs";
import { Xmpp } from "./clients.mjs";
import { account, bosh, equal, place, test, websocket } from "./harness.mjs";

const FILES = {
  "/": join(import.meta.dirname, "page.html"),
  "/strophe.js": join(packages, "strophe.js/dist/strophe.umd.min.js"),
  "/xmpp.js": join(packages, "@xmpp/client/dist/xmpp.min.js"),
};

// A page whose origin has this host; the server's own is localhost.
async function page(host) {
  const port = await serve((path) => FILES[path]);
  const context = await (await launch()).newContext({ ignoreHTTPSErrors: true });
  const page = await context.newPage();
  await page.goto(`http://${host}:${port}/`);
  return page;
}

// Logs in with strophe.js and answers the first message; runs in the page.
function answerByStrophe([service, { jid, password }]) {
  return new Promise((done, refuse) => {
    const { Strophe, $msg, $pres } = globalThis.strophe ?? globalThis;
    const connection = new Strophe.Connection(service);
    connection.addHandler((stanza) => {
      const body = stanza.getElementsByTagName("body")[0]?.textContent;
      note(`heard “${body}” from ${stanza.getAttribute("from")}`);
      const answer = $msg({ to: stanza.getAttribute("from"), type: "chat" }).c("body").t("hello from a page");
      connection.send(answer);
      connection.flush();
      done(body);
    }, null, "message");
    connection.connect(jid, password, (status) => {
      const name = Object.keys(Strophe.Status).find((name) => Strophe.Status[name] === status);
      note(`strophe.js at ${service}: ${name}`);
      if (name === "CONNECTED") connection.send($pres());
      if (["CONNFAIL", "AUTHFAIL", "DISCONNECTED"].includes(name)) refuse(new Error(name));
    });
  });
}

// The same with @xmpp/client.
function answerByXmpp([service, { node, domain, password }]) {
  return new Promise((done, refuse) => {
    const { client, xml } = globalThis.XMPP;
    const xmpp = client({ service, domain, username: node, password });
    xmpp.on("error", refuse);
    xmpp.on("status", (status) => note(`@xmpp/client at ${service}: ${status}`));
    xmpp.on("online", () => xmpp.send(xml("presence")));
    xmpp.on("stanza", async (stanza) => {
      if (!stanza.is("message")) return;
      const body = stanza.getChildText("body");
      const { from } = stanza.attrs;
      note(`heard “${body}” from ${from}`);
      await xmpp.send(xml("message", { to: from, type: "chat" }, xml("body", {}, "hello from a page")));
      done(body);
    });
    xmpp.start().catch(refuse);
  });
}

for (const [name, service, answer] of [
  ["strophe_over_websocket", websocket, answerByStrophe],
  ["strophe_over_bosh", bosh, answerByStrophe],
  ["xmpp_client_over_websocket", websocket, answerByXmpp],
]) {
  test(`chromium/${name}`, async () => {
    const [alice, bob] = [account(), account()];
    const sender = await new Xmpp(alice).online();
    const tab = await page("localhost");
    // Kept for the page's user, whether they are there yet or not.
    await sender.say(bob.jid, "hello, page");
    equal(await tab.evaluate(answer, [service, bob]), "hello, page", "message");
    await sender.hears("hello from a page");
    await tab.screenshot({ path: artifact(`web-${name}.png`) });
  });
}

// RFC 6455 §10.2 and CORS.
test("chromium/a_page_of_another_host_is_refused", async () => {
  const tab = await page("127.0.0.1");
  const outcome = await tab.evaluate(async ([websocket, bosh]) => {
    const socket = new Promise((done) => {
      const socket = new WebSocket(websocket, ["xmpp"]);
      socket.onopen = () => done("opened");
      socket.onerror = () => done("refused");
    });
    const body = "<body xmlns='http://jabber.org/protocol/httpbind' rid='1' to='localhost'/>";
    const headers = { "content-type": "text/xml" };
    const posted = fetch(bosh, { method: "POST", headers, body });
    return [await socket, await posted.then(() => "opened", () => "refused")];
  }, [websocket, bosh]);
  equal(outcome, ["refused", "refused"], "WebSocket and BOSH");
});

// XEP-0156, for pages of every host.
test("chromium/host_meta", async () => {
  const tab = await page("127.0.0.1");
  const links = await tab.evaluate(async (place) => {
    const json = await (await fetch(`https://${place}/.well-known/host-meta.json`)).json();
    const text = await (await fetch(`https://${place}/.well-known/host-meta`)).text();
    const xml = new DOMParser().parseFromString(text, "text/xml");
    const of = (link) => [link.getAttribute("rel"), link.getAttribute("href")];
    return [json.links.map(({ rel, href }) => [rel, href]), [...xml.getElementsByTagName("Link")].map(of)];
  }, place);
  const wanted = [
    ["urn:xmpp:alt-connections:websocket", websocket],
    ["urn:xmpp:alt-connections:xbosh", bosh],
  ];
  equal(links, [wanted, wanted], "links");
});
