// Converse.js against the server.

import { execFileSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";

import { artifact } from "./chromium.mjs";
import { Xmpp, rosterOf, subscribe, xml } from "./clients.mjs";
import { Browser } from "./conversejs.mjs";
import { account, check, equal, place, run, test } from "./harness.mjs";

// Two people who have each other in their rosters.
async function friends() {
  const [alice, bob] = [account(), account()];
  const [one, other] = [await new Xmpp(alice).online(), await new Xmpp(bob).online()];
  await Promise.all([one, other].map(rosterOf));
  await subscribe(one, alice, other, bob);
  await one.xmpp.stop();
  return { alice, bob, other };
}

// When what it has said is worked on.
const through = (client) => client.xmpp.iqCaller.get(xml("ping", "urn:xmpp:ping"));

// A command of the server's operator; its answer.
function waxwing(...words) {
  const config = join(dirname(process.env.XMPP_DATA_DIR), "waxwing.toml");
  return JSON.parse(execFileSync(process.env.WAXWING_BIN, ["--config", config, ...words, "--json"]));
}

test("chat", async () => {
  const { alice, bob, other } = await friends();
  const browser = await Browser.launch();
  const device = await (await browser.device("chat")).logIn(alice);
  const chat = await device.open(bob.jid);
  await chat.say("Hello from Converse.js, & <soon> 🐦");
  const { from } = await other.hears("Hello from Converse.js, & <soon> 🐦");
  check(from.startsWith(`${alice.jid}/converse.js-`), `sender: ${from}`);
  await other.say(from, "Hello yourself");
  await chat.shows("Hello yourself");
  equal(await chat.texts(), ["Hello from Converse.js, & <soon> 🐦", "Hello yourself"], "what the chat shows");
  await device.picture();
});

test("wrong_password", async () => {
  const browser = await Browser.launch();
  const device = await browser.device("wrong-password");
  const alice = account();
  await device.fillIn({ ...alice, password: "not this one" });
  await device.page.locator(".conn-feedback", { hasText: "password is incorrect" }).waitFor();
  await device.logIn(alice);
});

// Converse.js sorts by time, of which it drops what is less.
async function nextMillisecond() {
  for (const now = Date.now(); Date.now() === now; ) await new Promise(setImmediate);
}

// XEP-0313, on a device that has seen none of it. Two of Converse.js's pages, but not more than it shows at once, which are
// 101 messages.
test("history", async () => {
  const { alice, bob, other } = await friends();
  const browser = await Browser.launch();
  const one = await (await browser.device("history-first")).logIn(alice);
  const chat = await one.open(bob.jid);
  const texts = Array.from({ length: 90 }, (_, number) => `message ${number}`);
  for (const text of texts.slice(0, -2)) {
    await other.say(alice.jid, text);
    await through(other);
    await nextMillisecond();
  }
  await chat.shows(texts.at(-3));
  await chat.say(texts.at(-2));
  await other.hears(texts.at(-2));
  await other.say(alice.jid, texts.at(-1));
  await chat.shows(texts.at(-1));
  equal(await chat.texts(), texts, "what the first device shows");
  const fresh = await (await browser.device("history")).logIn(alice);
  const again = await fresh.open(bob.jid);
  await again.shows(texts.at(-1));
  await again.scrollTo(texts[0]);
  // It shows what it gets one after the other: this is the last.
  await other.say(alice.jid, "marker");
  await again.shows("marker");
  equal(await again.texts(), [...texts, "marker"], "what the fresh device shows");
  await fresh.picture();
});

// XEP-0280.
test("carbons", async () => {
  const { alice, bob, other } = await friends();
  const browser = await Browser.launch();
  const one = await (await browser.device("carbons-desk")).logIn(alice);
  const two = await (await browser.device("carbons-phone")).logIn(alice);
  const [desk, phone] = [await one.open(bob.jid), await two.open(bob.jid)];
  await desk.say("from the desk");
  const { from } = await other.hears("from the desk");
  await phone.shows("from the desk");
  // To one of them alone.
  await other.say(from, "to the desk");
  await phone.shows("to the desk");
  await phone.say("from the phone");
  await desk.shows("from the phone");
  await other.hears("from the phone");
  for (const chat of [desk, phone]) {
    equal(await chat.texts(), ["from the desk", "to the desk", "from the phone"], "what each shows");
    equal(await chat.senders(), ["me", "them", "me"], "who said it");
  }
  await two.picture();
});

// XEP-0363. The page is of another origin than the files, so the browser asks the server what the page may do.
test("files", async () => {
  const { alice, bob } = await friends();
  const browser = await Browser.launch();
  const one = await (await browser.device("files-from")).logIn(alice);
  const two = await (await browser.device("files-to")).logIn(bob);
  const [from, to] = [await one.open(bob.jid), await two.open(alice.jid)];
  const asked = one.page.waitForRequest((request) => request.method() === "PUT");
  const picture = await one.page.screenshot();
  await from.send({ name: "très cool.png", mimeType: "image/png", buffer: picture });
  const shown = to.view.locator(".chat-msg img.chat-image");
  await shown.evaluate((image) => image.decode());
  const size = await shown.evaluate((image) => [image.naturalWidth, image.naturalHeight]);
  equal(size, [1100, 800], "the picture that the other sees");
  check((await shown.getAttribute("src")).startsWith(`https://${place}/`), "the picture is not of the server");
  const put = await (await asked).response();
  equal([put.status(), await put.headerValue("access-control-allow-origin")], [201, "*"], "what the upload gets");
  await two.picture();

  const content = Buffer.from(new Uint8Array(300_000).map((_, at) => at % 251));
  await to.send({ name: "a b.bin", mimeType: "application/octet-stream", buffer: content });
  const link = from.view.locator(".chat-msg__media a, a.chat-msg__media, .chat-msg__text a", { hasText: "a%20b.bin" });
  const url = await link.first().getAttribute("href");
  // As a page gets it, if it may.
  const got = await one.page.evaluate(async (url) => {
    const answer = await fetch(url);
    return [answer.status, [...new Uint8Array(await answer.arrayBuffer())]];
  }, url);
  check(got[0] === 200 && content.equals(Buffer.from(got[1])), `another file, or none: ${got[0]}`);
  // As its user gets it.
  const [download] = await Promise.all([one.page.context().waitForEvent("download"), link.first().click()]);
  check(content.equals(await readFile(await download.path())), "what is saved is another file");
});

// XEP-0191, by the chat's menu, and taken back by the list.
test("blocking", async () => {
  const { alice, bob, other } = await friends();
  const carol = await new Xmpp(account()).online();
  const browser = await Browser.launch();
  const device = await (await browser.device("blocking")).logIn(alice);
  const chat = await device.open(bob.jid);
  await other.say(alice.jid, "before");
  await chat.shows("before");
  await chat.choose("block-user");
  await device.confirm();
  await other.inbox.first(({ presence, from }) => presence === "unavailable" && from === device.address);
  await other.say(alice.jid, "blocked");
  const { stanza } = await other.inbox.first(({ stanza }) => stanza?.attrs.type === "error");
  equal(stanza.getChild("error").children[0].name, "service-unavailable", "what the blocked person gets");
  await carol.say(alice.jid, "marker");
  await device.says(/^<message [^]*<body>marker</);
  check(!device.said.all.some((line) => line.includes("<body>blocked")), "it has come all the same");
  await device.picture();
  await device.unblock(bob.jid);
  // The server tells all devices when it is done.
  await device.says(/^<iq [^>]*to="[^]*<unblock [^]*<item/);
  await other.say(alice.jid, "after");
  await device.says(/^<message [^]*<body>after</);
  const again = await device.open(bob.jid);
  await again.shows("after");
  check(!(await again.texts()).includes("blocked"), "what was blocked has come after all");
});

// XEP-0333: the other learns what has come, and what was seen.
test("markers", async () => {
  const { alice, bob, other } = await friends();
  const browser = await Browser.launch();
  const device = await (await browser.device("markers")).logIn(alice);
  const ask = (id, text) => {
    const markable = xml("markable", "urn:xmpp:chat-markers:0");
    return other.xmpp.send(xml("message", { to: alice.jid, type: "chat", id }, xml("body", {}, text), markable));
  };
  const marked = (name, id) =>
    other.inbox.first(({ stanza }) => stanza?.getChild(name, "urn:xmpp:chat-markers:0")?.attrs.id === id);
  await ask("first", "Are you there?");
  await marked("received", "first");
  const chat = await device.open(bob.jid);
  await chat.shows("Are you there?");
  await ask("second", "Do you see this?");
  await chat.shows("Do you see this?");
  await marked("displayed", "second");
});

// From the link to the first message, in one browser that has never seen any of it.
test("invitation", async () => {
  const alice = account();
  const one = await new Xmpp(alice).online();
  await rosterOf(one);
  const browser = await Browser.launch();
  const device = await browser.device("invitation");
  const bob = { jid: `invited@${alice.domain}`, password: "correct horse battery" };
  await device.page.goto(waxwing("invite", "create", "--contact", alice.jid).url);
  await device.page.screenshot({ path: artifact("converse-invitation-page.png"), fullPage: true });
  await device.page.getByLabel("Name").fill("invited");
  await device.page.getByLabel(/^Password/).fill(bob.password);
  await device.page.getByLabel("Repeat the password").fill(bob.password);
  await device.page.getByRole("button", { name: "Make the account" }).click();
  await device.page.getByText(bob.jid).first().waitFor();
  await device.page.screenshot({ path: artifact("converse-invitation-made.png"), fullPage: true });
  await device.logIn(bob);
  await one.sees("available", bob.jid);
  const chat = await device.open(alice.jid);
  await chat.say("Thank you for inviting me");
  const { from } = await one.hears("Thank you for inviting me");
  equal(from.split("/")[0], bob.jid, "sender");
  await one.say(bob.jid, "Welcome");
  await chat.shows("Welcome");
  await device.picture();
});

process.exit(await run(process.env.PARTNER ?? "converse", process.argv.slice(2)));
