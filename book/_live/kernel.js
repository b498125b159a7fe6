// A kernel of the Jupyter server that serves this page: REST to start and stop, a WebSocket to run.

const cookie = (name) => document.cookie.match(`(?:^|; )${name}=([^;]*)`)?.[1] ?? "";

const fresh = () => Array.from(
  crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

async function ask(method, path, body) {
  const answer = await fetch(`/api/kernels${path}`, {
    method,
    body: body && JSON.stringify(body),
    headers: { "Content-Type": "application/json", "X-XSRFToken": cookie("_xsrf") },
    keepalive: method === "DELETE",  // it is sent although the page goes
  });
  if (!answer.ok) throw new Error(`the server answered ${answer.status} ${answer.statusText}`);
  return answer.status === 204 ? null : answer.json();
}

export const label = "Run this page live";
export const title = "Edit and run the cells, on this machine";

// A kernel in the chapter's folder. state(word) is told "busy", "idle", "restarting", "dead" and
// "disconnected".
export async function start(state) {
  const folder = decodeURIComponent(location.pathname).split("/").slice(1, -1).join("/");
  const kernel = new Kernel();
  Object.assign(kernel, { state, session: fresh(), running: new Map() });
  kernel.id = (await ask("POST", "", { name: "python3", path: folder })).id;
  await kernel.connect();
  return kernel;
}

class Kernel {

  connect() {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const path = `/api/kernels/${this.id}/channels?session_id=${this.session}`;
    this.socket = new WebSocket(`${scheme}://${location.host}${path}`);
    this.socket.onmessage = (event) => this.receive(JSON.parse(event.data));
    return new Promise((resolve, reject) => {
      this.socket.onopen = resolve;
      this.socket.onclose = () => {
        this.abandon("disconnected");
        reject(new Error("the server refused the connection"));
      };
    });
  }

  // Run code; onMessage(type, content) sees each output. Resolves to the reply: its status is
  // "ok", "error" or "aborted" (the kernel was restarted or went away).
  run(code, onMessage) {
    const header = {
      msg_id: fresh(), msg_type: "execute_request", version: "5.3",
      session: this.session, username: "", date: new Date().toISOString(),
    };
    const content = { code, silent: false, store_history: true, allow_stdin: false,
                      user_expressions: {}, stop_on_error: true };
    return new Promise((resolve) => {
      this.running.set(header.msg_id, { onMessage, resolve });
      this.socket.send(JSON.stringify(
        { channel: "shell", header, parent_header: {}, metadata: {}, content, buffers: [] }));
    });
  }

  receive({ header: { msg_type: type }, parent_header: parent, content }) {
    if (type === "status" && ["restarting", "dead"].includes(content.execution_state)) {
      return this.abandon(content.execution_state);
    }
    const job = this.running.get(parent?.msg_id);
    if (!job) return;
    if (type === "status") {
      job.idle = content.execution_state === "idle";
      this.state(content.execution_state);
    } else if (type === "execute_reply") {
      job.reply = content;
    } else {
      job.onMessage(type, content);
    }
    if (job.idle && job.reply) {
      this.running.delete(parent.msg_id);
      job.resolve(job.reply);
    }
  }

  abandon(why) {
    for (const job of this.running.values()) job.resolve({ status: "aborted" });
    this.running.clear();
    this.state(why);
  }

  interrupt() { return ask("POST", `/${this.id}/interrupt`); }
  async restart() {
    this.abandon("restarting");
    await ask("POST", `/${this.id}/restart`);
    this.state("idle");
  }
  stop() { return ask("DELETE", `/${this.id}`); }
}
