// Converse.js on a device of its own: what a person does there, and sees.

import { createWriteStream, existsSync, statSync } from "node:fs";
import { join, normalize } from "node:path";

import { artifact, launch, packages, serve } from "./chromium.mjs";
import { Inbox } from "./clients.mjs";
import { later, websocket } from "./harness.mjs";

const WAIT_MS_MAX = 60_000;
const LOOK_MS = 50;
const PAGE = join(import.meta.dirname, "conversejs.html");
const FOLDER = join(packages, "converse.js/dist");

function find(path) {
  if (path === "/") return PAGE;
  const file = join(FOLDER, normalize(path));
  return existsSync(file) && statSync(file).isFile() ? file : undefined;
}

// Waits for a condition; the case's limit bounds it.
async function until(condition) {
  while (!(await condition())) await new Promise((done) => setTimeout(done, LOOK_MS));
}

const quoted = (text) => new RegExp(`^\\s*${text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}\\s*$`);

// A browser's devices, and where the page is.
export class Browser {
  static async launch() {
    const browser = new Browser();
    browser.port = await serve(find);
    browser.chromium = await launch();
    return browser;
  }

  // A device with nothing on it; what its pages say goes into a file of this name.
  async device(name) {
    const context = await this.chromium.newContext({
      ignoreHTTPSErrors: true,
      viewport: { width: 1100, height: 800 },
    });
    // Short of the case's limit: it says what it has waited for.
    context.setDefaultTimeout(WAIT_MS_MAX);
    return new Device(this, name, await context.newPage());
  }
}

export class Device {
  said = new Inbox();

  constructor(browser, name, page) {
    Object.assign(this, { browser, name, page });
    const log = createWriteStream(artifact(`converse-${name}.log`));
    later(() => log.end());
    const note = (line) => {
      log.write(`${line}\n`);
      this.said.put(line);
    };
    page.on("console", (message) => note(message.text().replace(/^%c%s color: (\w+) /, "")));
    page.on("pageerror", (error) => note(`thrown: ${error.stack}`));
  }

  // By the form, with what is written there.
  async fillIn({ jid, password }) {
    await this.page.goto(`http://localhost:${this.browser.port}/?websocket=${encodeURIComponent(websocket)}`);
    await this.page.locator("#converse-login input[name=jid]").fill(jid);
    await this.page.locator("#converse-login input[name=password]").fill(password);
    await this.page.locator("#converse-login button[type=submit]").click();
  }

  async logIn(account) {
    await this.fillIn(account);
    await this.page.locator(".xmpp-status", { hasText: "I am online" }).waitFor();
    await this.says("Message carbons have been enabled.");
    // Its own presence has come back: whoever may see it does.
    const own = new RegExp(`^<presence [^>]*from="(${account.jid}/[^"]*)"`);
    [, this.address] = own.exec(await this.says(own));
    return this;
  }

  // Waits for something that its page has said, or sent, or got.
  says(what) {
    const matches = typeof what === "string" ? (line) => line.includes(what) : (line) => what.test(line);
    return this.said.first(matches);
  }

  async open(jid) {
    // Who has said something that is not read is there twice.
    await this.page.locator(`converse-roster a.open-chat[data-jid="${jid}"]`).first().click();
    const chat = new Chat(this, jid);
    await chat.field.waitFor();
    return chat;
  }

  // Presses the button of a dialogue.
  async confirm() {
    await this.page.locator("form.confirm button[type=submit]").click();
  }

  // By the list of whom its user has blocked.
  async unblock(jid) {
    await this.page.locator("converse-roster converse-dropdown button").first().click();
    await this.page.getByText("Show block list").click();
    await this.page.locator(`input[name="${jid}"]`).check();
    await this.page.getByRole("button", { name: "Unblock selected users" }).click();
    await this.page.getByText("No blocked XMPP addresses").waitFor();
    await this.page.locator(".modal.show .modal-header [data-bs-dismiss]").click();
    await this.page.locator(".modal.show").waitFor({ state: "hidden" });
  }

  picture() {
    return this.page.screenshot({ path: artifact(`converse-${this.name}.png`) });
  }
}

// What a chat with one person shows.
class Chat {
  constructor(device, jid) {
    this.device = device;
    this.view = device.page.locator(`converse-chat[jid="${jid}"]`);
    this.field = this.view.locator("textarea.chat-textarea");
  }

  async say(text) {
    await this.field.fill(text);
    await this.field.press("Enter");
    await this.shows(text);
  }

  async shows(text) {
    await this.view.locator(".chat-msg__text", { hasText: quoted(text) }).first().waitFor();
  }

  async texts() {
    return (await this.view.locator(".chat-msg__text").allInnerTexts()).map((text) => text.trim());
  }

  // Who said each: "me" or "them".
  senders() {
    const of = (all) => all.map((one) => (one.classList.contains("chat-msg__content--me") ? "me" : "them"));
    return this.view.locator(".chat-msg__content").evaluateAll(of);
  }

  // Turns the wheel until the first message is there.
  async scrollTo(text) {
    const first = this.view.locator(".chat-msg__text", { hasText: quoted(text) });
    await this.view.locator(".chat-content").hover();
    await until(async () => {
      await this.device.page.mouse.wheel(0, -2000);
      return (await first.count()) > 0;
    });
  }

  async choose(entry) {
    await this.view.locator(".chat-head converse-dropdown button").click();
    await this.view.locator(`.chat-head .${entry}`).click();
  }

  async send(file) {
    await this.view.locator("input.fileupload").setInputFiles(file);
  }
}
