"""A client that nobody here wrote (python-socketio), on the wire with our handlers.

    python3 client.py URL TRANSPORT

Prints what it saw as one JSON object; binary data is written as {"hex": ...}.
"""

import json
import sys
import threading

import socketio

url, transport = sys.argv[1:3]
seen = {"pushes": []}
pushed = threading.Event()
asked = threading.Event()


def plain(value):
    if isinstance(value, (bytes, bytearray)):
        return {"hex": bytes(value).hex()}
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    return value


client = socketio.Client(reconnection=False, handle_sigint=False)


@client.on("news")
def on_news(*args):
    seen["pushes"].append(plain(args))
    if len(seen["pushes"]) == 3:
        pushed.set()


@client.on("sure?")
def on_sure(question):
    asked.set()
    return {"sure": question}


client.connect(
    url,
    auth={"user": "py"},
    transports=[transport],
    namespaces=["/", "/admin", "/t-7"],
    wait_timeout=10,
)
seen["transport"] = client.transport()


def call(event, data=None, namespace=None):
    return plain(client.call(event, data, namespace=namespace, timeout=10))


seen["who"] = call("who")
seen["echo"] = call("echo", {"text": "grüße", "n": 1.5, "none": None, "list": [True]})
seen["arguments"] = call("arguments", ("one", 2, [3]))
seen["silent"] = call("silent")
seen["refused"] = call("refuse")
seen["crashed"] = call("crash")
seen["invalid"] = call("checked", {"n": -1})
seen["valid"] = call("checked", {"n": 1})
seen["unknown"] = call("nowhere", 1)
seen["timeout"] = call("stuck")
seen["binary"] = call("bytes", {"data": b"\x00\x01\xff"})
seen["large"] = len(client.call("large", "x" * 200_000, timeout=10))
seen["admin"] = call("who", namespace="/admin")
seen["tenant"] = call("who", namespace="/t-7")

client.emit("push")
if not pushed.wait(10):
    sys.exit("no pushes")
seen["answered"] = call("ask")
if not asked.is_set():
    sys.exit("not asked")

seen["many"] = [call("echo", n) for n in range(50)]

refusal = threading.Event()
banned = socketio.Client(reconnection=False, handle_sigint=False)


@banned.event
def connect_error(data):
    seen["banned"] = plain(data)
    refusal.set()


try:
    # It waits this long for a connection even after it heard that there will be none.
    banned.connect(url, auth={"user": "banned"}, transports=[transport], wait_timeout=1)
except socketio.exceptions.ConnectionError:
    seen["banned_raised"] = True
if not refusal.wait(10):
    sys.exit("not refused")

client.disconnect()
client.wait()
print(json.dumps(seen))
