"""A network link between two namespaces where the kernel has no netem: link.py NAMESPACE:DEVICE NAMESPACE:DEVICE RATE DELAY

Makes a TUN device in each namespace and carries packets between them: RATE in bit/s, DELAY in seconds, in each direction.
Prints a line when the link is up, and carries until it is ended.
"""
import collections
import fcntl
import os
import select
import struct
import subprocess
import sys
import time

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
MTU = 9000  # jumbo frames: each packet costs this program some microseconds


def device(namespace_and_name):
    namespace, name = namespace_and_name.split(":")
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TUN | IFF_NO_PI))
    subprocess.run(["ip", "link", "set", name, "mtu", str(MTU), "txqueuelen", "10000", "netns", namespace], check=True)
    return tun


def carry(source, target, rate, delay):
    """One direction: packets leave one after another at the rate, and arrive later by the delay."""
    on_the_way = collections.deque()  # arrival, packet
    free = 0.0  # when the last bit of the packet before has left
    while True:
        wait = max(0.0, on_the_way[0][0] - time.monotonic()) if on_the_way else None
        readable, _, _ = select.select([source], [], [], wait)
        now = time.monotonic()
        if readable:
            packet = os.read(source, MTU + 100)
            free = max(now, free) + 8 * len(packet) / rate
            on_the_way.append((free + delay, packet))
        while on_the_way and on_the_way[0][0] <= now:
            try:
                os.write(target, on_the_way.popleft()[1])
            except OSError:  # the device is down, or full: the packet is lost, as on a wire
                pass


def main():
    first, second = device(sys.argv[1]), device(sys.argv[2])
    rate, delay = float(sys.argv[3]), float(sys.argv[4])
    print("up", flush=True)
    if os.fork() == 0:
        carry(second, first, rate, delay)
    carry(first, second, rate, delay)


main()
