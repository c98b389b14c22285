"""A local HTTP server, for tests of downloads."""

import contextlib
import http.server
import threading
import time
from types import SimpleNamespace


@contextlib.contextmanager
def serving(files, delay=0.0):
    """Serve files for the time of the block.

    Args:
        files: Content by path; every other path is answered with 404.
        delay: Seconds before each answer.

    Yields:
        The server's ``address``, and ``seen``, the list of the paths that were requested.
    """
    seen = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append(self.path)
            time.sleep(delay)
            body = files.get(self.path, b"")
            self.send_response(200 if self.path in files else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield SimpleNamespace(address=f"http://127.0.0.1:{server.server_port}", seen=seen)
        server.shutdown()
