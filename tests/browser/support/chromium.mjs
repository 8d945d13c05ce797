// Debian's Chromium, without what would reach out to the network.
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

import { chromium } from "playwright-core";

import { password } from "./place.mjs";

const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
const args = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
              "--disable-background-networking", "--disable-component-update", "--disable-sync",
              "--disable-dev-shm-usage"];
const wait = 20_000 * Number(process.env.GATEHOUSE_SLOWNESS ?? "1");

export async function launch() {
  return chromium.launch({ executablePath, args });
}

// A person: a browser context with nothing in it.
export async function person(browser, options = {}) {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(wait);
  return context;
}

// A person whose browser keeps no cookies.
export async function cookieless() {
  const directory = mkdtempSync(path.join(tmpdir(), "chromium-"));
  mkdirSync(path.join(directory, "Default"));
  writeFileSync(path.join(directory, "Default/Preferences"),
                JSON.stringify({ profile: { default_content_setting_values: { cookies: 2 } } }));
  const context = await chromium.launchPersistentContext(directory, { executablePath, args });
  context.setDefaultTimeout(wait);
  return context;
}

export async function fillIn(page, user = "alice", secret = password) {
  await page.fill("#username", user);
  await page.fill("#password", secret);
  await Promise.all([page.waitForNavigation(), page.click("button")]);
}

export async function logIn(context, url, user = "alice") {
  const page = await context.newPage();
  await page.goto(url);
  await fillIn(page, user);
  return page;
}

export const access = "__Host-gatehouse_access";

export async function cookieNames(context) {
  return (await context.cookies()).map((cookie) => cookie.name).sort();
}
