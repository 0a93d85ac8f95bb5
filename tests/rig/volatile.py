# SPDX-License-Identifier: BSD-3-Clause
# usage: volatile.py PLUGIN FOLDER
#
# The volatile disk as its clients see it: nbdkit, libnbd, a file.  Run by test_volatile.sh.
import os
import signal
import socket
import subprocess
import sys
import time
import traceback

import nbd

PLUGIN, FOLDER = sys.argv[1:3]
SECTOR = 512
MIB = 1 << 20
FUA = nbd.CMD_FLAG_FUA


class Disk:
    """One disk of 4 MiB that is being served; its medium is a file of zeros, or IMAGE."""

    number = 0

    def __init__(self, *parameters, image=None):
        Disk.number += 1
        self.base = f"{FOLDER}/{Disk.number}"
        self.image = image or self.base + ".img"
        if not image:
            with open(self.image, "wb") as f:
                f.truncate(4 * MIB)
        self.uri = f"nbd+unix:///?socket={self.base}.nbd"
        self.server = subprocess.Popen(
            ["nbdkit", "-f", "--exit-with-parent", "-U", self.base + ".nbd", "-P", self.base + ".pid", PLUGIN,
             "file=" + self.image, "control=" + self.base + ".ctl", *parameters])
        while not os.path.exists(self.base + ".pid"):
            assert self.server.poll() is None, "nbdkit ended"
            time.sleep(0.01)
        self.clients = []

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind:
            # whoever waits for something must not keep us
            self.server.kill()
            self.server.wait()
            return
        for client in self.clients:
            try:
                client.shutdown()
            except nbd.Error:
                pass
        self.server.send_signal(signal.SIGTERM)
        assert self.server.wait() == 0, "nbdkit does not end as it should"

    def client(self):
        client = nbd.NBD()
        client.connect_uri(self.uri)
        self.clients.append(client)
        return client

    def tell(self, command):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(self.base + ".ctl")
            s.sendall(command.encode() + b"\n")
            answer = s.makefile().readline()
        words = answer.split()
        assert words[0] == "ok", f"{command}: {answer}"
        return {k: int(v) for k, v in (word.split("=") for word in words[1:])}

    def refuses(self, command):
        try:
            self.tell(command)
        except AssertionError as e:
            return "error" in str(e)
        return False

    def stats(self):
        return self.tell("stats")

    def until(self, condition):
        """As long as it takes; the runner ends what hangs."""
        while not condition(self.stats()):
            time.sleep(0.005)

    def medium(self):
        with open(self.image, "rb") as f:
            return f.read()


def filled(byte, sectors=8):
    return bytes([byte]) * (sectors * SECTOR)


def fails(call, *arguments):
    try:
        call(*arguments)
    except nbd.Error as e:
        return e.errnum or True
    return False


class Later:
    """A write, or a flush, that is under way."""

    def __init__(self, client, data=None, offset=0, flags=0):
        self.client = client
        if data is None:
            self.cookie = client.aio_flush()
        else:
            self.buffer = nbd.Buffer.from_bytearray(bytearray(data))
            self.cookie = client.aio_pwrite(self.buffer, offset, flags=flags)

    def end(self):
        while not self.client.aio_command_completed(self.cookie):
            self.client.poll(-1)


# ---- tests ---------------------------------------------------------------------


def what_is_written_is_read_and_not_on_the_medium():
    with Disk() as d:
        c = d.client()
        c.pwrite(filled(1), 4096)
        c.pwrite(filled(2, 1), 4096 + SECTOR)
        assert c.pread(4096, 4096) == filled(1, 1) + filled(2, 1) + filled(1, 6)
        assert c.pread(4 * SECTOR, 4096 - SECTOR) == filled(0, 1) + filled(1, 1) + \
            filled(2, 1) + filled(1, 1)
        assert d.client().pread(SECTOR, 4096) == filled(1, 1)
        assert d.medium() == bytes(4 * MIB)
        assert d.stats()["pending"] == 2


def a_flush_makes_all_of_it_durable():
    with Disk("fate=drop") as d:
        c = d.client()
        c.pwrite(filled(1), 0)
        c.pwrite(filled(2), 8192)
        d.client().flush()
        assert d.stats()["pending"] == 0
        c.pwrite(filled(3), 0)
        assert d.tell("cut") == {"kept": 0, "dropped": 1, "torn": 0}
        m = d.medium()
        assert m[:4096] == filled(1) and m[8192:12288] == filled(2)


def a_flush_makes_only_durable_what_was_complete_when_it_began():
    with Disk("fate=drop") as d:
        a, b = d.client(), d.client()
        a.pwrite(filled(1), 0)
        d.tell("hold write")
        late = Later(b, filled(2), 4096)
        d.until(lambda s: s["held"] == 1)
        d.tell("hold flush")
        flush = Later(a)
        d.until(lambda s: s["held"] == 2)
        # begun before it, complete after it has begun
        d.tell("release write")
        late.end()
        # not even begun then
        b.pwrite(filled(3), 8192)
        d.tell("release")
        flush.end()
        assert d.stats()["pending"] == 2
        d.tell("cut")
        m = d.medium()
        assert m[:4096] == filled(1) and m[4096:] == bytes(4 * MIB - 4096)


def fua_makes_itself_durable_and_nothing_else():
    with Disk("fate=drop") as d:
        c = d.client()
        c.pwrite(filled(1), 0)
        c.pwrite(filled(2), 8192)
        c.pwrite(filled(3, 1), SECTOR, flags=FUA)
        assert c.pread(4096, 0) == filled(1, 1) + filled(3, 1) + filled(1, 6)
        d.tell("cut")
        assert d.medium() == bytes(SECTOR) + filled(3, 1) + bytes(4 * MIB - 2 * SECTOR)


def what_is_older_than_fua_does_not_come_over_it():
    with Disk("fate=keep") as d:
        c = d.client()
        c.pwrite(filled(1), 0)
        c.pwrite(filled(3, 1), SECTOR, flags=FUA)
        c.pwrite(filled(4, 1), 2 * SECTOR)
        d.tell("cut")
        assert d.medium()[:4096] == filled(1, 1) + filled(3, 1) + filled(4, 1) + filled(1, 5)


def a_write_that_was_overtaken_does_not_come_over_what_is_durable():
    for flags in (0, FUA):
        with Disk("fate=keep") as d:
            a, b = d.client(), d.client()
            d.tell("hold write")
            late = Later(b, filled(1), 0)
            d.until(lambda s: s["held"] == 1)
            d.tell("hold none")
            a.pwrite(filled(2, 1), 0, flags=flags)
            a.flush()
            assert d.medium()[:4096] == filled(2, 1) + filled(0, 7)
            d.tell("release")
            late.end()
            seen = a.pread(4096, 0)
            d.tell("cut")
            assert d.medium()[:4096] == seen == filled(2, 1) + filled(1, 7)


def the_newest_that_is_kept_stays():
    with Disk("fate=keep") as d:
        c = d.client()
        for i in range(1, 6):
            c.pwrite(filled(i), 0)
        d.tell("cut")
        assert d.medium()[:4096] == filled(5)


def a_torn_write_is_torn_between_sectors():
    with Disk("fate=tear") as d:
        c = d.client()
        for i in range(64):
            c.pwrite(filled(i + 1), i * 4096)
        assert d.tell("cut")["torn"] == 64
        m = d.medium()
        for i in range(64):
            sectors = [m[i * 4096 + j * SECTOR:i * 4096 + (j + 1) * SECTOR] for j in range(8)]
            kept = sectors.count(filled(i + 1, 1))
            assert 0 < kept < 8 and kept + sectors.count(filled(0, 1)) == 8, i


def story(d):
    c = d.client()
    for i in range(200):
        c.pwrite(filled(1 + i % 255, 1 + i % 16), (i * 37 % 512) * 4096)
        if i == 50:
            c.flush()
        if i % 40 == 7:
            c.pwrite(filled(1 + i, 1), i * SECTOR, flags=FUA)


def the_seed_says_what_is_lost():
    media, cuts = {}, {}
    for name, seed in (("a", 7), ("b", 7), ("c", 8), ("d", 9)):
        with Disk("seed=99") as d:
            story(d)
            cuts[name] = d.tell(f"cut seed={seed}")
            media[name] = d.medium()
    assert media["a"] == media["b"] and cuts["a"] == cuts["b"]
    assert len({media[n] for n in "acd"}) == 3
    assert all(sum(c.values()) == sum(cuts["a"].values()) for c in cuts.values())


def the_seed_of_the_disk_says_it_where_none_is_named():
    media = []
    for _ in range(2):
        with Disk("seed=5") as d:
            both = []
            for _ in range(2):
                story(d)
                d.tell("cut")
                both.append(d.medium())
                d.tell("on")
            media.append(both)
    assert media[0] == media[1]


def each_sector_is_some_version_since_the_last_durable_one():
    fates = set()
    for seed in range(30):
        with Disk() as d:
            c = d.client()
            c.pwrite(filled(1), 0)
            c.flush()
            for i in range(2, 5):
                c.pwrite(filled(i), 0)
            d.tell(f"cut seed={seed}")
            seen = {d.medium()[i * SECTOR] for i in range(8)}
            assert seen <= {1, 2, 3, 4}, seen
            fates |= seen
    assert fates == {1, 2, 3, 4}, fates


def without_power_nothing_is_done_until_it_is_back():
    with Disk("fate=drop") as d:
        c = d.client()
        c.pwrite(filled(1), 0)
        d.tell("cut")
        assert fails(c.pwrite, filled(2), 0) and fails(c.flush) and fails(c.pread, SECTOR, 0)
        assert fails(c.pwrite, filled(2), 0, FUA)
        assert d.refuses("cut")
        assert d.medium() == bytes(4 * MIB)
        assert d.stats()["refused"] == 4
        d.tell("on")
        assert c.pread(4096, 0) == bytes(4096)
        c.pwrite(filled(3), 0)
        c.flush()
        assert d.medium()[:4096] == filled(3)


def who_is_waiting_when_it_goes_is_told():
    with Disk("fate=keep") as d:
        clients = [d.client() for _ in range(3)]
        clients[0].pwrite(filled(1), 0)
        d.tell("hold both")
        late = [Later(clients[0]), Later(clients[1], filled(2), 4096),
                Later(clients[2], filled(3), 8192, FUA)]
        d.until(lambda s: s["held"] == 3)
        # what is on its way may be kept, too
        assert d.tell("cut")["kept"] == 3
        d.tell("on")
        assert all(fails(l.end) for l in late)
        s = d.stats()
        assert s["held"] == 0 and s["flushing"] == 0 and s["pending"] == 0
        assert d.medium()[:12288] == filled(1) + filled(2) + filled(3)


def flushes_are_done_at_once_or_one_after_the_other():
    for order, at_once in (("parallel", 3), ("serial", 1)):
        with Disk(f"flush-order={order}") as d:
            clients = [d.client() for _ in range(3)]
            d.tell("hold flush")
            late = [Later(clients[0]), Later(clients[1]),
                    Later(clients[2], filled(1), 0, FUA)]
            d.until(lambda s: s["flushing"] == 3 and s["held"] == at_once)
            d.tell("release")
            for l in late:
                l.end()
            assert d.stats()["at_once"] == at_once, order


def a_flush_takes_as_long_as_was_asked_for():
    with Disk("flush-delay-ms=20", "flush-order=serial") as d:
        c = d.client()
        start = time.monotonic()
        for _ in range(3):
            c.flush()
        c.pwrite(filled(1), 0, flags=FUA)
        # no less: how much more is the machine's affair
        assert time.monotonic() - start >= 0.08


def a_lie_is_told_and_counted():
    for lie, flush, fua in (("flush", 0, 1), ("fua", 1, 0), ("both", 0, 0), ("none", 1, 1)):
        with Disk("fate=drop", f"lie={lie}") as d:
            c = d.client()
            c.pwrite(filled(1), 0)
            c.flush()
            c.pwrite(filled(2), 4096, flags=FUA)
            assert d.stats()["lies"] == 2 - flush - fua
            assert c.pread(8192, 0) == filled(1) + filled(2)
            d.tell("cut")
            assert d.medium()[:8192] == filled(flush) + filled(2 * fua), lie
    with Disk("fate=drop") as d:
        c = d.client()
        d.tell("lie flush")
        c.pwrite(filled(1), 0)
        c.flush()
        d.tell("lie none")
        assert d.stats()["pending"] == 1
        c.flush()
        assert d.stats()["pending"] == 0


def it_counts():
    with Disk() as d:
        story(d)
        s = d.stats()
        assert (s["writes"], s["flushes"], s["fua"], s["reads"]) == (205, 1, 5, 0), s
        assert s["written_bytes"] == sum((1 + i % 16) * SECTOR for i in range(200)) + 5 * SECTOR
        # the 51 before the flush, two with FUA, and the other three are durable
        assert s["pending"] == 149 and s["cuts"] == 0
        cut = d.tell("cut seed=1")
        s = d.stats()
        assert s["cuts"] == 1 and s["pending"] == 0 and s["pending_bytes"] == 0
        assert {k: s[k] for k in cut} == cut


def a_full_cache_gives_its_oldest_to_the_medium():
    with Disk("fate=drop", "cache=16K") as d:
        c = d.client()
        for i in range(6):
            c.pwrite(filled(i + 1), i * 4096)
        s = d.stats()
        assert s["evicted"] == 2 and s["pending"] == 4, s
        d.tell("cut")
        assert d.medium()[:24576] == filled(1) + filled(2) + bytes(16384)


def the_next_one_sees_the_same_file():
    with Disk("fate=drop") as d:
        c = d.client()
        c.pwrite(filled(1), 0)
        c.flush()
        c.pwrite(filled(2), 0)
        image = d.image
    # ended without a cut: what was not flushed is not there either
    with Disk(image=image) as d:
        assert d.client().pread(4096, 0) == filled(1)


def what_is_no_sector_is_refused():
    with Disk() as d:
        c = d.client()
        c.set_strict_mode(0)
        assert fails(c.pwrite, b"x" * 100, 0)
        assert fails(c.pwrite, filled(1, 1), 100)
        assert fails(c.pread, 100, 0)
        assert c.get_block_size(nbd.SIZE_MINIMUM) == SECTOR
        assert c.get_size() == 4 * MIB and c.can_fua() and c.can_flush() and c.can_multi_conn()


def commands_that_make_no_sense_are_refused():
    with Disk() as d:
        for command in ("", "nonsense", "cut fate=maybe", "cut seed=x", "cut seed=-1", "cut now",
                        "lie", "lie sometimes", "hold", "hold me", "on off", "stats all"):
            assert d.refuses(command), command
        assert d.stats()["cuts"] == 0
        # one that says nothing keeps the others waiting, not for ever
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(d.base + ".ctl")
        d.tell("stats")


def parameters_that_make_no_sense_are_refused():
    for wrong in ("seed=x", "fate=maybe", "lie=sometimes", "cache=much", "flush-delay-ms=-1",
                  "flush-order=any", "colour=red", "file=/no/such/file"):
        run = subprocess.run(["nbdkit", "-f", "-s", PLUGIN, "file=/dev/null", wrong],
                             stdin=subprocess.DEVNULL, capture_output=True, text=True)
        assert run.returncode == 1, wrong
        assert wrong.split("=")[0] in run.stderr or wrong.split("=")[1] in run.stderr, run.stderr


failed = False
for name, test in list(globals().items()):
    if callable(test) and test.__module__ == "__main__" and not isinstance(test, type) and \
            test.__code__.co_argcount == 0:
        try:
            test()
            print(f"ok - {name}", flush=True)
        except Exception:
            failed = True
            print(f"not ok - {name}", flush=True)
            print("# " + traceback.format_exc().replace("\n", "\n# "), flush=True)
sys.exit(failed)
