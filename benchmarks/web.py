"""``python -m benchmarks.web FILE [SECONDS]``: an HTTP server that sends one file to every GET, by sendfile.

It prints its port, and then the first line of each request; it answers each after SECONDS (0), as a distant one does.

It uses almost no CPU, so that benchmarks measure the reader.
"""

import socket
import sys
import threading
import time
from pathlib import Path


def main() -> None:
    """Serve until killed."""
    delay = float(sys.argv[2]) if len(sys.argv) > 2 else 0.0
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=_answer, args=(connection, Path(sys.argv[1]), delay), daemon=True).start()


def _answer(connection: socket.socket, path: Path, delay: float) -> None:
    with connection, connection.makefile("rb") as lines, path.open("rb") as file:
        request = lines.readline().decode("latin-1").strip()
        print(request, flush=True)
        time.sleep(delay)
        while lines.readline().strip():
            pass
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {path.stat().st_size}\r\nConnection: close\r\n\r\n"
        connection.sendall(head.encode())
        if not request.startswith("HEAD"):
            connection.sendfile(file)


if __name__ == "__main__":
    main()
