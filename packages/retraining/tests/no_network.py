"""Runs commands where every address is this machine; prints as JSON what they sent elsewhere than to it.

``unshare --net --map-root-user python no_network.py '[["true"], ...]'``: the namespace has a loopback alone,
to which all addresses lead, so that what would have left the machine arrives at a capture.
"""

import json
import socket
import subprocess
import sys
import threading

LOCAL = {"127.0.0.1", "::1"}
_IPV4, _IPV6 = 0x0800, 0x86DD
_UDP = 17


def addresses(kind: int, packet: bytes) -> tuple[str, str, bool]:
    """Source and destination of an IP packet, and whether it is UDP, such as a question for a name."""
    if kind == _IPV4:
        source, destination = (socket.inet_ntop(socket.AF_INET, packet[at : at + 4]) for at in (12, 16))
        return source, destination, packet[9] == _UDP
    source, destination = (socket.inet_ntop(socket.AF_INET6, packet[at : at + 16]) for at in (8, 24))
    return source, destination, packet[6] == _UDP


def capture(sent: set[str]) -> None:
    """Add to `sent` where packets go that are not for this machine."""
    everything = socket.htons(0x0003)
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, everything) as tap:
        ready.set()
        while True:
            packet, (_, kind, *_) = tap.recvfrom(65535)
            if kind in (_IPV4, _IPV6):
                source, destination, is_udp = addresses(kind, packet)
                if not {source, destination} <= LOCAL or is_udp:
                    sent.add(destination)


for words in (
    ["ip", "link", "set", "lo", "up"],
    ["ip", "route", "add", "local", "0.0.0.0/0", "dev", "lo"],
    ["ip", "-6", "route", "add", "local", "::/0", "dev", "lo"],
):
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
ready = threading.Event()
elsewhere: set[str] = set()
threading.Thread(target=capture, args=(elsewhere,), daemon=True).start()
ready.wait()
results = []
for words in json.loads(sys.argv[1]):
    elsewhere.clear()
    done = subprocess.run(words, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    results.append(
        {"code": done.returncode, "said": done.stdout + done.stderr, "elsewhere": sorted(elsewhere)}
    )
print(json.dumps(results))
