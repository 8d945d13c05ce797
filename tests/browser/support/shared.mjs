// What replicas share: keys, a certificate for localhost, and a real Redis on a free port, started
// and ended by the test.
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";

import { binary, until } from "./place.mjs";

async function freePort() {
  const server = net.createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export class Shared {
  static async start() {
    const shared = new Shared();
    shared.directory = mkdtempSync(path.join(tmpdir(), "gatehouse-shared-"));
    shared.#write("access.pem", execFileSync(binary, ["keygen"]));
    shared.#write("refresh.key", execFileSync(binary, ["keygen", "--algorithm", "HS256"]));
    shared.port = await freePort();
    await shared.startRedis();
    return shared;
  }

  #write(name, data) { writeFileSync(this.path(name), data, { mode: 0o600 }); }
  path(name) { return path.join(this.directory, name); }

  async startRedis() {
    this.redis = spawn("redis-server", ["--save", "", "--port", this.port, "--bind", "127.0.0.1",
                                        "--dir", this.directory], { stdio: "ignore" });
    await until(() => new Promise((resolve) => {
      const probe = net.connect(this.port, "127.0.0.1");
      probe.on("connect", () => { probe.destroy(); resolve(true); });
      probe.on("error", () => resolve(false));
    }), "Redis");
  }

  async endRedis() {
    const ended = new Promise((resolve) => this.redis.on("exit", resolve));
    this.redis.kill("SIGKILL");
    await ended;
  }

  // Sections of a configuration whose sessions are in Redis.
  sections(accessLife = "15m") {
    return {
      tokens: {
        access: { life: accessLife, keys: [
          { kid: "a", algorithm: "ES256", key_file: this.path("access.pem") }] },
        refresh: { keys: [{ kid: "r", secret_file: this.path("refresh.key") }] },
      },
      store: { kind: "redis", redis: { url: `redis://127.0.0.1:${this.port}/0` } },
    };
  }

  // A listener with a certificate of its own.
  listeners() {
    const [certificate, key] = [this.path("tls.crt"), this.path("tls.key")];
    execFileSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt",
                             "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                             "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
                             "-keyout", key, "-out", certificate], { stdio: "ignore" });
    return [{ address: "127.0.0.1:0", tls: { certificate_file: certificate, key_file: key } }];
  }

  async stop() {
    if (this.redis.exitCode === null && this.redis.signalCode === null) await this.endRedis();
    rmSync(this.directory, { recursive: true, force: true });
  }
}
