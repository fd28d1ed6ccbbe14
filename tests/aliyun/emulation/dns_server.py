"""An authoritative name server for the account's zones: what Alidns would answer, over UDP and TCP."""

from __future__ import annotations

import socketserver
import struct
import threading
from typing import Any, final

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from tests.aliyun.emulation.alidns import presented
from tests.aliyun.emulation.cloud import Cloud
from tests.aliyun.emulation.state import DnsRecord

_NEGATIVE = 600  # seconds for which "there is no such name" may be kept
_UDP = 1232  # bytes of an answer over UDP


@final
class DnsServer:
    """Both servers on one port. Records are read at each question, so a change shows at once."""

    def __init__(self, cloud: Cloud, address: str, port: int) -> None:
        self._cloud = cloud
        self._udp, self._tcp = _on_one_port(address, port)
        self.port = self._udp.server_address[1]
        for server in (self._udp, self._tcp):
            server.answer = self.answer

    def start(self) -> None:
        for server in (self._udp, self._tcp):
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True, name="dns").start()

    def stop(self) -> None:
        for server in (self._udp, self._tcp):
            server.shutdown()
            server.server_close()

    def answer(self, wire: bytes, *, tcp: bool) -> bytes | None:
        """Return the answer to one question, ``None`` to what is none."""
        try:
            query = dns.message.from_wire(wire)
            response = dns.message.make_response(query)
        except dns.exception.DNSException:
            return None
        if len(query.question) != 1:
            response.set_rcode(dns.rcode.FORMERR)
        else:
            with self._cloud.lock:
                self._fill(response, query.question[0].name, query.question[0].rdtype)
        try:
            return response.to_wire(max_size=65535 if tcp else _UDP)
        except dns.exception.TooBig:
            short = dns.message.make_response(query)
            short.flags |= dns.flags.TC | dns.flags.AA
            return short.to_wire()

    def _fill(self, response: dns.message.Message, name: dns.name.Name, kind: dns.rdatatype.RdataType) -> None:
        zone = self._zone(name)
        if zone is None:
            response.set_rcode(dns.rcode.REFUSED)
            return
        response.flags |= dns.flags.AA
        at_name = self._at(zone, name)
        for _ in range(8):  # follow aliases within the zone
            matching = [record for record in at_name if record.kind == dns.rdatatype.to_text(kind)]
            alias = next((record for record in at_name if record.kind == "CNAME"), None)
            if matching or alias is None:
                break
            response.answer.append(_rrset(name, [alias]))
            name = dns.name.from_text(presented(alias))
            at_name = self._at(zone, name) if name.is_subdomain(zone) else []
        else:
            matching = []
        if matching:
            response.answer.append(_rrset(name, matching))
        elif not response.answer:
            if not at_name and not self._exists(zone, name):
                response.set_rcode(dns.rcode.NXDOMAIN)
            response.authority.append(_start_of_authority(zone))

    def _zone(self, name: dns.name.Name) -> dns.name.Name | None:
        zones = [dns.name.from_text(domain) for domain in self._cloud.domains]
        return max((zone for zone in zones if name.is_subdomain(zone)), key=len, default=None)

    def _records(self, zone: dns.name.Name) -> list[tuple[dns.name.Name, DnsRecord]]:
        return [
            (zone if record.rr == "@" else dns.name.from_text(record.rr, zone), record)
            for record in self._cloud.state.records.values()
            if record.enabled and dns.name.from_text(record.domain) == zone
        ]

    def _at(self, zone: dns.name.Name, name: dns.name.Name) -> list[DnsRecord]:
        records = self._records(zone)
        exact = [record for owner, record in records if owner == name]
        if exact or name == zone:
            return exact
        wildcard = dns.name.from_text("*", name.parent())
        return [record for owner, record in records if owner == wildcard]

    def _exists(self, zone: dns.name.Name, name: dns.name.Name) -> bool:
        """Whether there is anything at or below a name: then it exists, with or without records of its own."""
        return name == zone or any(owner.is_subdomain(name) for owner, _ in self._records(zone))


def _rrset(name: dns.name.Name, records: list[DnsRecord]) -> dns.rrset.RRset:
    values = [presented(record) for record in records]
    ttl = min(record.ttl for record in records)
    return dns.rrset.from_text(name, ttl, dns.rdataclass.IN, records[0].kind, *values)


def _start_of_authority(zone: dns.name.Name) -> dns.rrset.RRset:
    text = f"ns1.alidns.com. hostmaster.hichina.com. 1 3600 1200 86400 {_NEGATIVE}"
    return dns.rrset.from_text(zone, _NEGATIVE, dns.rdataclass.IN, "SOA", text)


def _on_one_port(address: str, port: int, attempts: int = 10) -> tuple[_Udp, _Tcp]:
    """Return both servers. A port that is free over UDP may be taken over TCP: where any will do, try another."""
    udp = _Udp((address, port), _UdpHandler)
    try:
        return udp, _Tcp((address, udp.server_address[1]), _TcpHandler)
    except OSError:
        udp.server_close()
        if port or attempts == 1:
            raise
    return _on_one_port(address, port, attempts - 1)


class _Udp(socketserver.ThreadingUDPServer):
    daemon_threads = True
    answer: Any


class _Tcp(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    answer: Any


class _UdpHandler(socketserver.BaseRequestHandler):
    server: _Udp

    def handle(self) -> None:
        wire, connection = self.request
        answer = self.server.answer(wire, tcp=False)
        if answer is not None:
            connection.sendto(answer, self.client_address)


class _TcpHandler(socketserver.StreamRequestHandler):
    server: _Tcp
    timeout = 10  # seconds

    def handle(self) -> None:
        while len(header := self.rfile.read(2)) == 2:
            answer = self.server.answer(self.rfile.read(struct.unpack("!H", header)[0]), tcp=True)
            if answer is None:
                return
            self.wfile.write(struct.pack("!H", len(answer)) + answer)
