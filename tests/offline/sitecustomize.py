"""On the path of notebook kernels under test: refuses sockets to anything but this machine."""

import ipaddress
import socket

HOSTS = (None, "", "localhost", socket.gethostname())


def _require_local(host: object) -> None:
    """RuntimeError, which nothing takes for a network that is merely down, unless `host` is this machine."""
    name = host.decode() if isinstance(host, bytes) else host
    if name in HOSTS:
        return
    try:
        local = ipaddress.ip_address(str(name)).is_loopback
    except ValueError:
        local = False
    if not local:
        raise RuntimeError(f"no network in tests: {name} was asked for.")


def _guard_socket(name: str) -> None:
    """Has `socket.socket.<name>` look at the address, its last argument, before it goes there."""
    whole = getattr(socket.socket, name)

    def guarded(self, *args):
        if self.family in (socket.AF_INET, socket.AF_INET6):
            _require_local(args[-1][0])
        return whole(self, *args)

    setattr(socket.socket, name, guarded)


def _guard_names(name: str) -> None:
    """Has `socket.<name>` refuse to look up the names of other machines."""
    whole = getattr(socket, name)

    def guarded(host, *args, **kwargs):
        _require_local(host)
        return whole(host, *args, **kwargs)

    setattr(socket, name, guarded)


for method in ("connect", "connect_ex", "sendto"):
    _guard_socket(method)
for function in ("getaddrinfo", "gethostbyname", "gethostbyname_ex"):
    _guard_names(function)
