// Logging in, staying logged in, getting out: in a real Chromium, by keyboard, in many tabs.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { access, cookieNames, cookieless, fillIn, launch, logIn, person }
  from "./support/chromium.mjs";
import { Place, password, until } from "./support/place.mjs";

let browser, place;
before(async () => {
  browser = await launch();
  place = await Place.start();
});
after(async () => {
  await browser?.close();
  await place?.stop();
});

test("login by keyboard only", async () => {
  const context = await person(browser);
  const page = await context.newPage();
  await page.goto(place.url + "/desk/");
  await page.keyboard.type("alice");  // the first field has the focus
  await page.keyboard.press("Tab");
  await page.keyboard.type(password);
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.tagName), "BUTTON");
  await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
  assert.match(await page.textContent(".who"), /says you are alice/);
  await context.close();
});

test("a wrong password keeps the name and puts the cursor into the password", async () => {
  const context = await person(browser);
  const page = await context.newPage();
  await page.goto(place.url + "/orders");
  await fillIn(page, "alice", "wrong");
  assert.match(await page.textContent("[role=alert]"), /wrong\. Check both/);
  assert.equal(await page.inputValue("#username"), "alice");
  await page.keyboard.type(password);
  await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
  assert.equal(await page.textContent("h1"), "Secret orders of alice");
  assert.equal(page.url(), place.url + "/orders");
  await context.close();
});

test("a deep link keeps its query and its fragment", async () => {
  const context = await person(browser);
  const page = await context.newPage();
  const link = place.url + "/orders?from=1&name=J%C3%B6rg%20M#top";
  const answer = await page.goto(link);
  assert.equal(answer.status(), 401);
  assert.equal(page.url(), link);
  await fillIn(page);
  assert.equal(page.url(), link);
  assert.equal(await page.textContent("#url"), "GET /orders?from=1&name=J%C3%B6rg%20M");
  await context.close();
});

test("logging in needs no script", async () => {
  const context = await person(browser, { javaScriptEnabled: false });
  const page = await logIn(context, place.url + "/orders?a=b");
  assert.equal(page.url(), place.url + "/orders?a=b");
  assert.equal(await page.textContent("h1"), "Secret orders of alice");
  await context.close();
});

test("no page asks for anything from elsewhere, or breaks its own policy", async () => {
  const context = await person(browser);
  const page = await context.newPage();
  const asked = [], complaints = [];
  page.on("request", (request) => asked.push(request.url()));
  page.on("console", (message) => complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  await page.goto(place.url + "/orders#x");
  await page.goto(place.url + "/logout");
  assert.ok(asked.every((url) => url.startsWith(place.url)), asked.join("\n"));
  assert.deepEqual(complaints.filter((text) => !text.includes("401")), []);
  await context.close();
});

test("no script of a page can read our cookies", async () => {
  const context = await person(browser);
  const page = await logIn(context, place.url + "/");
  assert.equal(await page.evaluate(() => document.cookie), "");
  assert.equal((await cookieNames(context)).length, 3);
  await context.close();
});

test("logout in one tab ends the others and their WebSocket", async () => {
  const context = await person(browser);
  const one = await logIn(context, place.url + "/");
  await one.evaluate(() => new Promise((resolve, reject) => {
    window.socket = new WebSocket(location.origin.replace("http", "ws") + "/live");
    window.socketEnd = new Promise((done) => { window.socket.onclose = () => done(true); });
    window.socket.onmessage = (event) => resolve(event.data);
    window.socket.onerror = reject;
    window.socket.onopen = () => window.socket.send("hello");
  }));
  const two = await context.newPage();
  await two.goto(place.url + "/logout");
  await Promise.all([two.waitForNavigation(), two.click("button")]);
  assert.equal(await two.textContent("h1"), "You are signed out");
  assert.equal(await one.evaluate(() => window.socketEnd), true);
  const answer = await one.reload();
  assert.equal(answer.status(), 401);
  await context.close();
});

test("the back button shows nothing protected after logout", async () => {
  const context = await person(browser);
  const page = await logIn(context, place.url + "/orders?1");
  await page.goto(place.url + "/orders?2");
  await page.goto(place.url + "/logout");
  await Promise.all([page.waitForNavigation(), page.click("button")]);
  for (let steps = 0; steps < 3; ++steps) {
    await page.goBack();
    assert.ok(!(await page.content()).includes("Secret orders"), page.url());
  }
  await context.close();
});

test("a browser without cookies is told that it has none", async () => {
  const context = await cookieless();
  const page = await context.newPage();
  await page.goto(place.url + "/orders");
  await fillIn(page);
  assert.equal(await page.textContent("h1"), "Signing in does not work here");
  assert.match(await page.textContent("p"), /does not keep this site's cookies/);
  await until(() => place.gate.text.includes('"cause":"not_stored"'), "the log line");
  await context.close();
});

test("12 tabs after the access token's end: all load, one rotation", async () => {
  const short = await Place.start({ tokens: { access: { life: "3s" } } });
  const context = await person(browser);
  const page = await logIn(context, short.url + "/");
  const login = () => short.records().find((record) => record.event === "login");
  await until(login, "the audit line of the login");
  const session = login().session_id;
  await until(async () => !(await cookieNames(context)).includes(access), "the token's end");
  const tabs = await Promise.all(Array.from({ length: 12 }, () => context.newPage()));
  const answers = await Promise.all(tabs.map((tab, n) => tab.goto(`${short.url}/orders?tab=${n}`)));
  assert.deepEqual(answers.map((answer) => answer.status()), Array(12).fill(200));
  for (const tab of tabs) assert.equal(await tab.textContent("h1"), "Secret orders of alice");
  const renewals = () => short.records().filter((record) =>
    record.event === "refresh" && record.session_id === session);
  await until(() => renewals().length > 0, "the audit line");
  assert.equal(renewals().filter((record) => record.outcome === "rotated").length, 1);
  assert.ok(renewals().every((record) => ["rotated", "replayed"].includes(record.outcome)));
  assert.ok((await cookieNames(context)).includes(access));
  await page.close();
  await context.close();
  await short.stop();
});

test("a form that is posted after the token's end arrives once, with its body", async () => {
  const short = await Place.start({ tokens: { access: { life: "3s" } } });
  const context = await person(browser);
  const page = await logIn(context, short.url + "/orders");
  await page.fill("input[name=note]", "two hinges & a lock");
  await until(async () => !(await cookieNames(context)).includes(access), "the token's end");
  await Promise.all([page.waitForNavigation(), page.click("form button")]);
  assert.equal(await page.textContent("#url"), "POST /save");
  assert.deepEqual(short.app.posts, [{ url: "/save", body: "note=two+hinges+%26+a+lock" }]);
  await context.close();
  await short.stop();
});
