"""A hub of models in a thread: what the client asks when it makes a repository and uploads into it, and no more."""

import base64
import contextlib
import hashlib
import http.server
import json
import threading


class Hub(http.server.BaseHTTPRequestHandler):
    """`repos` and `files` are what it holds; `refused` a status to answer everything with, `asked` what was asked."""

    repos: dict
    files: dict
    stored: dict
    asked: list
    refused: int | None = None
    refused_at = "/"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.asked.append((self.path, self.headers.get("Authorization")))
        if self.refused and self.path.startswith(self.refused_at):
            return self.answer({"error": "No room at all"}, self.refused)
        if self.path == "/api/repos/create":
            return self.create(json.loads(body))
        if self.path == "/api/validate-yaml":
            return self.answer({"errors": [], "warnings": []})
        repo = self.path.removeprefix("/api/models/").rpartition("/main")[0].rpartition("/")[0]
        if self.path.endswith("/preupload/main"):
            kinds = [{"path": f["path"], "size": f["size"]} for f in json.loads(body)["files"]]
            return self.answer({"files": [{**f, "uploadMode": _mode(f["path"]), "shouldIgnore": False} for f in kinds]})
        if self.path.endswith("/info/lfs/objects/batch"):
            objects = [
                {**o, "actions": {"upload": {"href": f"{self.server.address}/lfs/{o['oid']}"}}}
                for o in json.loads(body)["objects"]
            ]
            return self.answer({"transfer": "basic", "objects": objects})
        assert self.path.endswith("/commit/main"), self.path
        return self.commit(repo, [json.loads(line) for line in body.splitlines()])

    def do_GET(self):
        self.asked.append((self.path, self.headers.get("Authorization")))
        self.answer({"error": "not here"}, 404)

    def do_PUT(self):
        data = self.rfile.read(int(self.headers["Content-Length"]))
        self.stored[hashlib.sha256(data).hexdigest()] = data
        self.answer({})

    def create(self, told):
        owner = told.get("organization") or "me"
        name = f"{owner}/{told['name']}"
        if name in self.repos:
            return self.answer({"error": "You already created this model repo", "url": self.at(name)}, 409)
        self.repos[name] = told
        return self.answer({"url": self.at(name), "name": name})

    def commit(self, repo, lines):
        assert repo in self.repos
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                self.files[f"{repo}/{value['path']}"] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                self.files[f"{repo}/{value['path']}"] = self.stored[value["oid"]]
        self.answer({"success": True, "commitOid": "0" * 40, "commitUrl": f"{self.at(repo)}/commit/{'0' * 40}"})

    def at(self, name):
        return f"{self.server.address}/{name}"

    def answer(self, told, status=200):
        data = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *words):
        pass


def _mode(path):
    return "lfs" if path.endswith(".safetensors") else "regular"


@contextlib.contextmanager
def serving():
    """The class that answers, and its address."""
    kind = type("Mine", (Hub,), {"repos": {}, "files": {}, "stored": {}, "asked": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind)
    server.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield kind, server.address
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
