// One place under test: a real Gatehouse in front of the legacy application of the examples and of
// a recording one, started on free ports and stopped with the test. GATEHOUSE_BINARY and
// LEGACY_APP name the programs.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";

const root = new URL("../../..", import.meta.url).pathname;
export const binary = process.env.GATEHOUSE_BINARY ?? path.join(root, "build/dev/proxy/gatehouse");
const legacy = process.env.LEGACY_APP ??
  path.join(root, "build/dev/examples/legacy-app/legacy-app");
const slow = Number(process.env.GATEHOUSE_SLOWNESS ?? "1");

export const password = "correct horse battery staple";
// bcrypt, cost 4: a hash that costs a test nothing.
const hash = "$2y$04$NhaC0GRdX9GH9XX2uZxz8eryJpW1cj.S2BcxKHjY/toMf1c6yMTou";
const users = { users: [
  { username: "alice", password_hash: hash, name: "Alice Liddell", groups: ["staff", "admins"] },
  { username: "bob", password_hash: hash, groups: ["staff"] },
] };

export async function until(condition, what, seconds = 20) {
  const end = Date.now() + seconds * 1000 * slow;
  while (Date.now() < end) {
    const value = await condition();
    if (value) return value;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`waited in vain for ${what}`);
}

function started(program, args, cwd) {
  const child = spawn(program, args, { cwd });
  child.text = "";
  child.output = "";
  child.stderr.on("data", (data) => { child.text += data; });
  child.stdout.on("data", (data) => { child.output += data; });
  child.ended = new Promise((resolve) => child.on("exit", (code) => {
    child.code = code;
    resolve(code);
  }));
  return child;
}

// A legacy application with a page that has a form, and a record of what was posted.
async function recordingApp() {
  const posts = [];
  const server = http.createServer((request, response) => {
    if (request.url === "/gone") return request.socket.destroy();
    const chunks = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => {
      const body = Buffer.concat(chunks).toString();
      if (request.method === "POST") posts.push({ url: request.url, body });
      response.setHeader("Content-Type", "text/html; charset=utf-8");
      response.end(`<!doctype html><title>App</title><h1 id="top">Secret orders of ${
        request.headers["x-forwarded-user"] ?? "nobody"}</h1><p id="url">${
        request.method} ${request.url.replaceAll("&", "&amp;").replaceAll("<", "&lt;")}</p>` +
        `<img src="/pixel.svg?1" alt=""><img src="/pixel.svg?2" alt="">` +
        `<form method="post" action="/save"><input name="note"><button>Save</button></form>`);
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { posts, server, url: `http://127.0.0.1:${server.address().port}` };
}

export class Place {
  // `changes` are merged over the configuration, section by section.
  static async start(changes = {}) {
    const place = new Place();
    place.directory = mkdtempSync(path.join(tmpdir(), "gatehouse-browser-"));
    place.app = await recordingApp();
    place.legacy = started(legacy, ["--port", "0"], place.directory);
    const legacyUrl = await until(() => place.legacy.output.match(/http:\S+/)?.[0], "legacy-app");
    const config = {
      listeners: [{ address: "127.0.0.1:0" }],
      workers: 2,
      upstreams: { app: { endpoints: [place.app.url] }, desk: { endpoints: [legacyUrl] } },
      routes: [
        { path: "/desk/**", strip_prefix: "/desk", upstream: "desk" },
        { path: "/live", websocket: true, upstream: "desk" },
        { path: "/events", upstream: "desk" },
        { path: "/assets/**", access: "public", upstream: "desk" },
        { path: "/favicon.ico", access: "public", upstream: "desk" },
        { path: "/admin/**", require: { groups: ["admins"] }, upstream: "desk" },
      ],
      users: { file: "users.json" },
      browser: { enabled: true },
      drain: { delay: 0, timeout: "1s" },
      ...changes,
    };
    // JSON is YAML.
    writeFileSync(path.join(place.directory, "users.json"), JSON.stringify(users));
    writeFileSync(path.join(place.directory, "gatehouse.yaml"), JSON.stringify(config, null, 1));
    place.gate = started(binary, ["run", "--config", "gatehouse.yaml"], place.directory);
    const port = await until(() => {
      if (place.gate.code !== undefined) throw new Error(place.gate.text);
      return place.gate.text.match(/"address":"127\.0\.0\.1:(\d+)","role":"listener"/)?.[1];
    }, "gatehouse");
    place.port = Number(port);
    // Chromium keeps Secure cookies of http://localhost, which counts as trustworthy.
    place.url = `${config.listeners[0].tls ? "https" : "http"}://localhost:${port}`;
    return place;
  }

  records() {
    return this.gate.output.split("\n").filter((line) => line.startsWith("{"))
      .flatMap((line) => {
        try { return [JSON.parse(line)]; } catch { return []; }  // the last may be half written
      });
  }

  async stop() {
    this.gate.kill("SIGTERM");
    this.legacy.kill("SIGKILL");
    this.app.server.close();
    this.app.server.closeAllConnections();
    const code = await this.gate.ended;
    rmSync(this.directory, { recursive: true, force: true });
    if (code !== 0) throw new Error(`gatehouse ended with ${code}:\n${this.gate.text}`);
  }
}

// Pages of somebody else, on a port of their own: { "/path": html }.
export async function foreignSite(pages) {
  const server = http.createServer((request, response) => {
    response.setHeader("Content-Type", "text/html; charset=utf-8");
    response.end(pages[request.url] ?? "nothing");
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, port: server.address().port };
}

export const artefacts = process.env.ARTEFACTS ?? path.join(root, "build/test-results/browser");
