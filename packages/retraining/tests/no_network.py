"""Runs commands where every address is this machine; prints as JSON what they sent elsewhere than to it.

``unshare --net --map-root-user python no_network.py '[["true"], ...]'``: the namespace has a loopback alone,
to which all addresses lead, so that what would have left the machine arrives at a capture.
"""

import ctypes
import json
import socket
import struct
import subprocess
import sys
import threading
import uuid

LOCAL = {"127.0.0.1", "::1"}
_IPV4, _IPV6 = 0x0800, 0x86DD
_UDP = 17
_ATTACH_FILTER = 26  # SO_ATTACH_FILTER
# The kernel drops TCP between 127.0.0.1 and itself before it is copied here, so that nothing is lost. Each
# line: code, lines to skip where it is so and where it is not, value.
_FILTER = [
    (0x30, 0, 0, 0),  # the first byte
    (0x54, 0, 0, 0xF0),
    (0x15, 0, 6, 0x40),  # not IPv4: take it
    (0x30, 0, 0, 9),  # the protocol
    (0x15, 4, 0, _UDP),  # UDP: take it
    (0x20, 0, 0, 12),  # the source
    (0x15, 0, 2, 0x7F000001),
    (0x20, 0, 0, 16),  # the destination
    (0x15, 1, 0, 0x7F000001),
    (0x06, 0, 0, 0xFFFF),
    (0x06, 0, 0, 0),
]


def addresses(kind: int, packet: bytes) -> tuple[str, str, bool]:
    """Source and destination of an IP packet, and whether it is UDP, such as a question for a name."""
    if kind == _IPV4:
        source, destination = (socket.inet_ntop(socket.AF_INET, packet[at : at + 4]) for at in (12, 16))
        return source, destination, packet[9] == _UDP
    source, destination = (socket.inet_ntop(socket.AF_INET6, packet[at : at + 16]) for at in (8, 24))
    return source, destination, packet[6] == _UDP


def capture(sent: set[str]) -> None:
    """Add to `sent` where packets go that are not for this machine."""
    program = b"".join(struct.pack("HBBI", *line) for line in _FILTER)
    lines = ctypes.create_string_buffer(program)
    everything = socket.htons(0x0003)
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, everything) as tap:
        tap.setsockopt(
            socket.SOL_SOCKET, _ATTACH_FILTER, struct.pack("HP", len(_FILTER), ctypes.addressof(lines))
        )
        reached.set()
        while True:
            packet, (_, kind, *_) = tap.recvfrom(65535)
            if mark in packet:
                reached.set()
            elif kind in (_IPV4, _IPV6):
                source, destination, is_udp = addresses(kind, packet)
                if not {source, destination} <= LOCAL or is_udp:
                    sent.add(destination)


for words in (
    ["ip", "link", "set", "lo", "up"],
    ["ip", "route", "add", "local", "0.0.0.0/0", "dev", "lo"],
    ["ip", "-6", "route", "add", "local", "::/0", "dev", "lo"],
):
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
mark = uuid.uuid4().bytes
reached = threading.Event()
elsewhere: set[str] = set()
threading.Thread(target=capture, args=(elsewhere,), daemon=True).start()
reached.wait()
results = []
for words in json.loads(sys.argv[1]):
    elsewhere.clear()
    done = subprocess.run(words, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    reached.clear()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
        last.sendto(mark, ("127.0.0.1", 9))
    reached.wait()  # what was sent before is seen then
    results.append(
        {"code": done.returncode, "said": done.stdout + done.stderr, "elsewhere": sorted(elsewhere)}
    )
print(json.dumps(results))
