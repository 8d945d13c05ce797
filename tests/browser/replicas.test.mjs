// What only holds over real TLS and with more than one replica: two programs with the same keys and
// a real Redis, on two ports of one host, to which a browser sends the same cookies.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { access, cookieNames, fillIn, launch, logIn, person } from "./support/chromium.mjs";
import { Place, until } from "./support/place.mjs";
import { Shared } from "./support/shared.mjs";

let browser, shared, one, two;
before(async () => {
  browser = await launch();
  shared = await Shared.start();
  const config = { ...shared.sections("3s"), listeners: shared.listeners() };
  [one, two] = await Promise.all([Place.start(config), Place.start(config)]);
});
after(async () => {
  await browser?.close();
  await one?.stop();
  await two?.stop();
  await shared?.stop();
});

// Its certificate is nobody's; everything else is as with one that the browser trusts.
const newPerson = () => person(browser, { ignoreHTTPSErrors: true });

test("the cookies are Secure, HttpOnly and of this host alone", async () => {
  const context = await newPerson();
  const page = await logIn(context, one.url + "/orders");
  assert.match(page.url(), /^https:/);
  const cookies = await context.cookies();
  assert.deepEqual(cookies.map((cookie) => cookie.name).sort(),
                   ["__Host-gatehouse_access", "__Host-gatehouse_login",
                    "__Host-gatehouse_refresh"]);
  for (const cookie of cookies) {
    assert.deepEqual([cookie.secure, cookie.httpOnly, cookie.sameSite, cookie.path, cookie.domain],
                     [true, true, "Lax", "/", "localhost"]);
  }
  await context.close();
});

test("12 tabs on two replicas after the access token's end: all load, one rotation", async () => {
  const context = await newPerson();
  await logIn(context, one.url + "/");
  const login = () => one.records().findLast((record) => record.event === "login");
  await until(login, "the audit line of the login");
  const session = login().session_id;
  await until(async () => !(await cookieNames(context)).includes(access), "the token's end");
  const tabs = await Promise.all(Array.from({ length: 12 }, () => context.newPage()));
  const answers = await Promise.all(tabs.map((tab, n) =>
    tab.goto(`${n % 2 ? one.url : two.url}/orders?tab=${n}`)));
  assert.deepEqual(answers.map((answer) => answer.status()), Array(12).fill(200));
  for (const tab of tabs) assert.equal(await tab.textContent("h1"), "Secret orders of alice");
  const renewals = () => [...one.records(), ...two.records()].filter((record) =>
    record.event === "refresh" && record.session_id === session);
  // The other replica may have been asked with the new cookie already.
  await until(() => renewals().some((record) => record.outcome === "rotated"), "the audit line");
  assert.equal(renewals().filter((record) => record.outcome === "rotated").length, 1);
  assert.ok(renewals().every((record) => ["rotated", "replayed"].includes(record.outcome)));
  await context.close();
});

test("logout at one replica ends the session and its WebSocket at the other", async () => {
  const context = await newPerson();
  const page = await logIn(context, two.url + "/");
  await page.evaluate(() => new Promise((resolve, reject) => {
    window.socket = new WebSocket(location.origin.replace("http", "ws") + "/live");
    window.socketEnd = new Promise((done) => { window.socket.onclose = () => done(true); });
    window.socket.onmessage = (event) => resolve(event.data);
    window.socket.onerror = reject;
    window.socket.onopen = () => window.socket.send("hello");
  }));
  const other = await context.newPage();
  await other.goto(one.url + "/logout");
  await Promise.all([other.waitForNavigation(), other.click("button")]);
  assert.equal(await other.textContent("h1"), "You are signed out");
  assert.equal(await page.evaluate(() => window.socketEnd), true);
  assert.equal((await page.reload()).status(), 401);
  await context.close();
});

test("the back button shows nothing protected after logout", async () => {
  const context = await newPerson();
  const page = await logIn(context, one.url + "/orders?1");
  await page.goto(one.url + "/orders?2");
  await page.goto(one.url + "/logout");
  await Promise.all([page.waitForNavigation(), page.click("button")]);
  for (let steps = 0; steps < 3; ++steps) {
    await page.goBack();
    assert.ok(!(await page.content()).includes("Secret orders"), page.url());
  }
  await context.close();
});

test("while the store is away nobody is logged out", async () => {
  const context = await newPerson();
  const page = await logIn(context, one.url + "/orders");
  await until(async () => !(await cookieNames(context)).includes(access), "the token's end");
  await shared.endRedis();
  const away = await page.goto(one.url + "/orders");
  assert.equal(away.status(), 503);
  assert.equal(await page.textContent("h1"), "Your session cannot be checked");
  const login = await (await newPerson()).newPage();
  await login.goto(two.url + "/login");
  await fillIn(login);
  assert.match(await login.textContent("[role=alert]"), /not possible at the moment/);
  await login.context().close();
  assert.ok((await cookieNames(context)).includes("__Host-gatehouse_refresh"));
  await shared.startRedis();
  await context.close();
});
