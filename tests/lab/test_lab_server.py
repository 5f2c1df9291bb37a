"""Who may ask the laboratory: by requests written by hand; and the command that starts it."""

import json
import re
import signal
import subprocess
import sys
from contextlib import ExitStack

import pytest
from lab_server import TOKEN, asked, laboratory, shaken
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from minidl.errors import OptionError
from minidl.lab import server
from minidl.lab.command import run_lab
from minidl.lab.guard import HEADERS
from minidl.lab.server import SESSIONS, STATIC

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)


@pytest.fixture(scope="module")
def lab():
    with laboratory() as found:
        yield found


@pytest.fixture
def opened(lab):
    """Opens websockets as the page does."""
    with ExitStack() as stack:
        headers = {"Cookie": lab.cookie}
        options = {"origin": f"http://{lab.host}", "additional_headers": headers, "compression": None}
        yield lambda: stack.enter_context(connect(f"ws://{lab.host}/socket", **options))


# --- The guard


def test_without_the_right_token_nothing_is_served(lab):
    for path in (
        "/",
        "/static/lab.css",
        "/static/js/app.js",
        "/?token=",
        "/?token=wrong",
        "/?token=%ff",
        f"/?token={TOKEN}x",
        f"/static/lab.css?token={TOKEN}",
    ):
        assert asked(lab, path)[0] == 403, path
    assert asked(lab, Cookie=f"minidl-lab-{lab.port}=wrong")[0] == 403
    assert asked(lab, Cookie=f"minidl-lab-{lab.port + 1}={TOKEN}")[0] == 403  # another laboratory's
    assert asked(lab, Cookie='a="\\')[0] == 403


def test_the_token_becomes_a_cookie_and_leaves_the_address(lab):
    status, headers, _ = asked(lab, f"/?token={TOKEN}")
    assert status == 303
    assert headers["location"] == "/"
    name, *attributes = headers["set-cookie"].split("; ")
    assert name == lab.cookie
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} == set(attributes)
    status, headers, body = asked(lab, Cookie=lab.cookie)
    assert status == 200
    assert b"<title>minidl lab</title>" in body


def test_another_host_or_origin_is_refused_though_the_token_is_right(lab):
    port = lab.port
    for host in (
        "evil.example",
        f"evil.example:{port}",
        "127.0.0.1",
        f"127.0.0.1.evil.example:{port}",
        f"127.0.0.1:{port + 1}",
        "",
    ):
        assert asked(lab, host=host, Cookie=lab.cookie)[0] in (400, 403), host
        assert asked(lab, f"/?token={TOKEN}", host=host)[0] in (400, 403), host
    assert asked(lab, Cookie=lab.cookie, Origin="http://evil.example")[0] == 403
    assert asked(lab, Cookie=lab.cookie, Origin="null")[0] == 403
    assert asked(lab, host=f"localhost:{port}", Cookie=lab.cookie)[0] == 200
    assert asked(lab, Cookie=lab.cookie, Origin=f"http://{lab.host}")[0] == 200


def test_nothing_outside_the_static_folder_is_served(lab):
    paths = [
        "/static/../server.py", "/static/%2e%2e/server.py", "/static/..%2fserver.py", "/static//etc/passwd", "/static/js/../../session.py",
        "/static/%2e%2e%2f%2e%2e%2fcli.py", "/static/..\\server.py", "/../../etc/passwd", "/server.py", "/static/", "/static/js", "/socket",
    ]  # fmt: skip
    for path in paths:
        assert asked(lab, path, Cookie=lab.cookie)[0] in (400, 404), path
    for path in STATIC.rglob("*"):
        if path.is_file():
            status, _, body = asked(lab, f"/static/{path.relative_to(STATIC).as_posix()}", Cookie=lab.cookie)
            assert (status, body) == (200, path.read_bytes())


def test_only_reading_is_allowed(lab):
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
        assert asked(lab, method=method, Cookie=lab.cookie)[0] == 405


@pytest.mark.parametrize(
    "path", ["/", "/static/js/app.js", "/static/words/it.json", "/no/such", f"/?token={TOKEN}", "/?token=no"]
)
def test_every_answer_carries_the_same_policy(lab, path):
    _, headers, _ = asked(lab, path, Cookie=lab.cookie)
    assert headers["content-security-policy"] == POLICY
    assert headers.items() >= HEADERS.items()
    assert "unsafe" not in headers["content-security-policy"]
    assert "server" not in headers


def test_a_websocket_needs_cookie_host_and_origin(lab):
    good = {"Cookie": lab.cookie, "Origin": f"http://{lab.host}"}
    assert shaken(lab, **good) == 101
    assert shaken(lab, Cookie=lab.cookie) == 403  # no origin
    assert shaken(lab, Origin=good["Origin"]) == 403  # no cookie
    assert shaken(lab, **good | {"Origin": "http://evil.example"}) == 403
    assert shaken(lab, **good, host="evil.example") == 403


# --- Messages


def test_a_page_is_answered_and_mistakes_leave_it_open(opened):
    socket = opened()
    socket.send("no json")
    assert json.loads(socket.recv())["error"]["code"] == "json"
    socket.send('{"id": 1, "op": "hello"}')
    assert json.loads(socket.recv())["ok"]["protocol"] == "minidl-lab.1"


def answers(socket, messages):
    """The replies to messages, as long as there are any."""
    for message in messages:
        socket.send(message)
        yield socket.recv()


def test_a_message_that_is_too_long_ends_the_connection(opened):
    with pytest.raises(ConnectionClosed):
        list(answers(opened(), ["x" * 1_000_000] * 2))


def test_too_many_messages_a_second_end_the_connection(opened, monkeypatch):
    monkeypatch.setattr(server, "RATE", 2)
    with pytest.raises(ConnectionClosed, match="more than 2 messages a second"):
        list(answers(opened(), ["1"] * 1000))


def test_a_page_that_leaves_in_mid_reply_makes_room_for_others(opened):
    for _ in range(2 * SESSIONS):
        socket = opened()
        socket.send('{"id": 1, "op": "surface.field", "surface": {"name": "bowl"}, "n": 128}')
        socket.socket.close()  # as a browser that is killed
    last = opened()
    last.send('{"id": 1, "op": "hello"}')
    assert "ok" in json.loads(last.recv())


def test_no_more_sessions_than_are_allowed(opened):
    sockets = [opened() for _ in range(SESSIONS)]
    for socket in sockets:
        socket.send('{"id": 1, "op": "hello"}')
        socket.recv()
    with pytest.raises(ConnectionClosed, match="close one"):
        opened().recv()


# --- The command


def test_the_command_prints_an_address_on_a_line_of_its_own_and_ends_on_ctrl_c():
    command = [sys.executable, "-W", "error", "-m", "minidl", "lab", "--no-browser", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        address = process.stdout.readline().rstrip("\n")
        found = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/\?token=[\w-]{43}", address)
        assert found, address
        lab = type("Lab", (), {"port": int(found[1]), "host": f"127.0.0.1:{found[1]}"})
        assert asked(lab, address.removeprefix(f"http://{lab.host}"))[0] == 303
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
        assert process.returncode == 130
        assert errors.strip() == ""


def test_an_address_that_others_reach_needs_a_word(lab):
    with pytest.raises(OptionError, match="--i-know"):
        run_lab("0.0.0.0", 0, False, False)
    with pytest.raises(OptionError, match=r"such as 127\.0\.0\.1"):
        run_lab("no host", 0, False, False)
    with laboratory(lab.port) as other:  # taken: the next
        assert other.port > lab.port


def test_without_its_extra_the_command_says_which_it_needs():
    program = "import sys; sys.modules['starlette'] = None; from minidl.cli import main; main(['lab', '--no-browser'])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "pip install 'minidl[lab]'" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_the_session_alone_needs_no_web():
    program = "import sys; from minidl.lab import LabSession; LabSession().handle('1'); print({'starlette', 'uvicorn', 'matplotlib'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "set()", done.stderr
