# Coroutines of the Rust crate switchback, for gdb 12 or later with Python:
#
#     (gdb) source switchback.py
#     (gdb) switchback coroutines           all coroutines of the process or core file, each with its backtrace
#     (gdb) switchback coroutines 16 17     those with these numbers
#     (gdb) switchback coroutines -brief    a line each, without backtraces
#     (gdb) switchback coroutines -full     backtraces with all frames, those of the crate as well
#     (gdb) switchback select 17            makes `bt`, `up`, `info locals` .. start where coroutine 17 is parked
#     (gdb) switchback select               and in the thread again
#
# It reads a record that the crate keeps for it (src/coroutine/debug.rs), not debug information. Backtraces are gdb's own:
# without debug information they have the names of functions, but no lines.
#
# A number is the place of the coroutine's stack: it stays the same as long as the coroutine lives. Coroutines on stacks
# that are not the crate's (`ProvidedStack`, or a `Stack` of the program's own) are not found.

import bisect
import re
import struct

import gdb
from gdb.unwinder import Unwinder, register_unwinder

VERSION = 1
MAGIC = b"switchback debug"
SYMBOL = "switchback::coroutine::debug::LAYOUT"
# Stack pointer, program counter, frame pointer, the other register that a switch saves.
REGISTERS = {"i386:x86-64": ("rsp", "rip", "rbp", "rbx"), "aarch64": ("sp", "pc", "x29", "x19")}
FIELDS = """
    table known table_len table_reservations reservation_size reservation_base reservation_spacing reservation_carved
    reservation_slots header_size header_colours header_line header_tenant header_limit
    control_size parked name created_at
    outward bottom inward follow link frame entry
    finished running delegated abandoned sample sample_line""".split()


def read(address, length):
    return gdb.selected_inferior().read_memory(address, length).tobytes()


def word(address):
    return struct.unpack("<Q", read(address, 8))[0]


def text(address, length):
    return read(address, length).decode("utf-8", "replace") if length else ""


class Layout:
    """The crate's record of where things are."""

    def __init__(self):
        address = self.find()
        if address is None:
            raise gdb.GdbError("switchback: no coroutine was ever made here, or the crate is of another version")
        version = word(address + len(MAGIC))
        if version != VERSION:
            raise gdb.GdbError(f"switchback: the program's record has version {version}, this script reads {VERSION}")
        words = struct.unpack(f"<{len(FIELDS)}Q", read(address + len(MAGIC) + 8, 8 * len(FIELDS)))
        for field, value in zip(FIELDS, words):
            setattr(self, field, value)
        file, line = self.location(self.sample)
        if line != self.sample_line or not file.endswith("debug.rs"):
            raise gdb.GdbError("switchback: the compiler of this program lays locations out in a way unknown here")

    @staticmethod
    def find():
        try:
            address = int(gdb.parse_and_eval(f"(char *) &'{SYMBOL}'").cast(gdb.lookup_type("unsigned long")))
            if read(address, len(MAGIC)) == MAGIC:
                return address
        except (gdb.error, gdb.MemoryError):
            pass
        # No symbols: the record begins with a magic word.
        for line in gdb.execute("info files", to_string=True).splitlines():
            words = line.split()
            if len(words) >= 5 and words[1] == "-" and words[4].startswith(".data"):
                start, end = int(words[0], 16), int(words[2], 16)
                try:
                    found = gdb.selected_inferior().search_memory(start, end - start, MAGIC)
                except (gdb.error, gdb.MemoryError):
                    continue
                if found is not None:
                    return int(found)
        return None

    @staticmethod
    def location(address):
        file, length, line, _column = struct.unpack("<QQII", read(address, 24))
        return text(file, length), line

    def slots(self):
        """The number, the lowest address and the spacing of each slot that was ever handed out."""
        first = 0
        for index in range(word(self.table + self.table_len)):
            place = self.table + self.table_reservations + index * self.reservation_size
            base, spacing = word(place + self.reservation_base), word(place + self.reservation_spacing)
            for number in range(word(place + self.reservation_carved)):
                yield first + number, number, base + number * spacing, spacing
            first += word(place + self.reservation_slots)


class Coroutine:
    def __init__(self, layout, number, control, low, high):
        self.layout, self.number, self.control, self.low, self.high = layout, number, control, low, high
        self.parked = word(control + layout.parked)
        self.outward = word(control + layout.outward)
        self.inward = word(control + layout.inward)
        self.link = word(control + layout.link)
        self.delegate = None if self.inward == control + layout.link else self.inward - layout.inward
        self.delegated = self.outward != control + layout.inward
        name, length = struct.unpack("<QQ", read(control + layout.name, 16))
        self.name = text(name, length) if name else None
        self.file, self.line = layout.location(word(control + layout.created_at))
        # Where it is active: a thread, if it is the innermost of one; where its frames go on from, if that is known.
        self.active = False
        self.thread = None
        self.record = None

    @property
    def state(self):
        layout = self.layout
        if self.parked == layout.abandoned:
            return "abandoned"
        if self.delegate is not None:
            return "delegating"
        if self.parked == layout.finished:
            return "finished"
        if self.parked == layout.running:
            if self.thread is not None:
                return f"running in thread {self.thread.num}"
            if self.link == 0:
                return "running on its consumer's stack"
            return "resuming another" if self.active else "finished"
        if self.parked == layout.delegated:
            if self.thread is not None:
                return f"running in thread {self.thread.num}"
            if self.active:
                return "resuming another"
            return "suspended" if self.delegated else "finished"
        return "created" if self.parked & 1 else "suspended"


class Process:
    """The coroutines of the process or core file, as they are now."""

    def __init__(self):
        if gdb.selected_thread() is None:
            raise gdb.GdbError("switchback: there is no process and no core file")
        name = gdb.selected_inferior().architecture().name()
        if name not in REGISTERS:
            raise gdb.GdbError(f"switchback: unknown architecture {name}")
        self.registers = REGISTERS[name]
        self.layout = layout = Layout()
        known = word(layout.known)
        self.all, vacant = [], 0
        for number, colour, base, spacing in layout.slots():
            top = base + spacing
            header = top - layout.header_size - colour % layout.header_colours * layout.header_line
            try:
                tenant, limit = word(header + layout.header_tenant), word(header + layout.header_limit)
                if known and tenant == known and base < limit < top:
                    control = header - layout.control_size
                    self.all.append(Coroutine(layout, number, control, limit, top))
                else:
                    vacant += 1
            except gdb.MemoryError:
                vacant += 1
        if vacant and not self.all:
            print("switchback: no stack can be read. gdb's own `gcore` leaves out stacks whose guards are advice: take a")
            print("core that the system has made, or set SWITCHBACK_GUARD=protection before the program starts")
        self.by_control = {co.control: co for co in self.all}
        self.ranges = sorted((co.low, co.high, co) for co in self.all)
        self.find_active()
        self.find_records()
        self.all = [co for co in self.all if co.state != "finished"]

    def at(self, address):
        """The coroutine whose stack an address is on."""
        index = bisect.bisect_right(self.ranges, (address, 2**64, None)) - 1
        if index >= 0 and self.ranges[index][0] <= address < self.ranges[index][1]:
            return self.ranges[index][2]
        return None

    def find_active(self):
        """Walks from each thread outwards."""
        selected = gdb.selected_thread()
        for thread in gdb.selected_inferior().threads():
            try:
                thread.switch()
                co = self.at(int(gdb.newest_frame().read_register(self.registers[0])))
            except gdb.error:
                continue
            if co is not None:
                co.thread = thread
            self.activate(co)
        selected.switch()
        for co in self.all:
            if co.parked == self.layout.running and co.link == 0 and co.delegate is None:
                self.activate(co)

    def activate(self, co):
        while co is not None and not co.active:
            co.active = True
            delegate = co
            while delegate.delegated:
                delegator = self.at(delegate.outward)
                if delegator is None or delegator.active:
                    break
                delegator.active = True
                delegate = delegator
            if co.link == 0:
                return
            record, co = co.link, self.at(co.link)
            if co is not None and not co.active:
                co.record = record

    def find_records(self):
        """Where the frames of each begin that is parked."""
        for co in self.all:
            if co.delegate is not None:
                delegate = self.by_control.get(co.delegate)
                co.record = delegate.outward if delegate else None
            elif co.parked == self.layout.delegated and not co.active:
                # Its outermost delegator's handle knows.
                outermost = co
                for _ in self.all:
                    if outermost is None or not outermost.delegated:
                        break
                    outermost = self.at(outermost.outward)
                co.record = outermost.parked if outermost and self.at(outermost.parked) is co else None
            elif co.parked > 64 and not co.parked & 1:
                co.record = co.parked


class Parked(Unwinder):
    """Makes the newest frame look as if it had been called by a coroutine's parked frame, while one is selected."""

    def __init__(self):
        super().__init__("switchback")
        self.record = None

    def select(self, process, record):
        self.process, self.record = process, None
        gdb.invalidate_cached_frames()
        newest = gdb.newest_frame()
        self.origin = tuple(int(newest.read_register(name)) for name in process.registers[:2])
        self.record = record
        gdb.invalidate_cached_frames()

    def reset(self):
        self.record = None
        gdb.invalidate_cached_frames()

    def __call__(self, pending):
        if self.record is None:
            return None
        layout, names = self.process.layout, self.process.registers
        sp, pc = (pending.read_register(name) for name in names[:2])
        here = (int(sp), int(pc))
        if here == self.origin:
            # gdb takes a caller's frame for corrupt that is below its callee's, so this one's place is below the other.
            info = pending.create_unwind_info(FrameId(gdb.Value(self.record).cast(sp.type), pc))
            frame_pointer, wake_up, reserved = struct.unpack("<QQQ", read(self.record, 24))
            values = (self.record + layout.frame, wake_up, frame_pointer, reserved)
            for name, value in zip(names, values):
                info.add_saved_register(name, gdb.Value(value).cast(pending.read_register(name).type))
            return info
        co = self.bottom_of(*here)
        if co is not None and not co.delegated:
            # The consumer is a stale one: whoever resumes the coroutine next will be it. gdb ends a backtrace at 0.
            info = pending.create_unwind_info(FrameId(sp, pc))
            info.add_saved_register(names[0], sp)
            info.add_saved_register(names[1], gdb.Value(0).cast(pc.type))
            return info
        return None

    def bottom_of(self, sp, pc):
        """The coroutine whose outermost frame this is."""
        try:
            co = self.process.by_control.get(word(sp))
            return co if co and word(co.control + self.process.layout.bottom) == pc else None
        except gdb.MemoryError:
            return None


class FrameId:
    def __init__(self, sp, pc):
        self.sp, self.pc = sp, pc


PARKED = Parked()
register_unwinder(None, PARKED, replace=True)


# What is between a body and its coroutine's outermost frame, and between a yield and its switch.
PLUMBING = ("switchback::", "core::ops::function::", "core::panic::unwind_safe::", "<core::panic::unwind_safe::",
            "std::panicking::", "std::panic::", "__rust_try")


def is_plumbing(function):
    return re.sub(r"\[[0-9a-f]+\]", "", function).startswith(PLUMBING)


def lines_of(frame, process, skip, full):
    """A line for each frame of a coroutine and its delegators."""
    frames = []
    while frame is not None:
        pc, sp = frame.pc(), int(frame.read_register(process.registers[0]))
        if (sp, pc) != skip:
            co = PARKED.bottom_of(sp, pc)
            if co is None:
                place = frame.find_sal()
                where = f" at {place.symtab.filename}:{place.line}" if place.symtab else ""
                frames.append((frame.name() or "??", where))
            elif not co.delegated:
                break
        frame = frame.older()
    # In an optimised program the body may be part of a function of the crate.
    full = full or all(is_plumbing(function) for function, _ in frames)
    for number, (function, where) in enumerate(frames):
        if full or not is_plumbing(function):
            yield f"#{number:<3} {function}{where}"


def backtrace(process, co, full):
    if co.state == "created":
        entry = word((co.parked & ~1) + process.layout.entry)
        yield "not started: " + gdb.execute(f"info symbol {entry:#x}", to_string=True).strip()
    elif co.thread is not None:
        selected = gdb.selected_thread()
        co.thread.switch()
        PARKED.process = process
        try:
            yield from lines_of(gdb.newest_frame(), process, None, full)
        finally:
            selected.switch()
    elif co.record is not None:
        PARKED.select(process, co.record)
        try:
            yield from lines_of(gdb.newest_frame(), process, PARKED.origin, full)
        finally:
            PARKED.reset()
    else:
        yield "(where it is parked is not recorded)"


class Switchback(gdb.Command):
    """Coroutines of the Rust crate switchback."""

    def __init__(self):
        super().__init__("switchback", gdb.COMMAND_STACK, gdb.COMPLETE_NONE, True)


class Coroutines(gdb.Command):
    """switchback coroutines [-brief | -full] [NUMBER..]: coroutines with state, name, creation site and backtrace."""

    def __init__(self):
        super().__init__("switchback coroutines", gdb.COMMAND_STACK)

    def invoke(self, argument, _from_tty):
        words = gdb.string_to_argv(argument)
        brief, full = "-brief" in words, "-full" in words
        numbers = {int(number) for number in words if not number.startswith("-")}
        PARKED.reset()
        process = Process()
        selected_frame = gdb.selected_frame()
        shown = [co for co in process.all if not numbers or co.number in numbers]
        for co in shown:
            name = f'"{co.name}"' if co.name is not None else "-"
            to = process.by_control.get(co.delegate) if co.delegate else None
            state = co.state + (f" to {to.number}" if to else "")
            print(f"{co.number:>5}  {state}  {name}  created at {co.file}:{co.line}  stack {(co.high - co.low) >> 10}K")
            if not brief:
                try:
                    for line in backtrace(process, co, full):
                        print("       " + line)
                except (gdb.error, gdb.MemoryError) as error:
                    print(f"       ({error})")
        print(f"{len(shown)} coroutines")
        if selected_frame.is_valid():
            selected_frame.select()


class Select(gdb.Command):
    """switchback select [NUMBER]: stack commands go from where the coroutine is parked; without a number, as ever."""

    def __init__(self):
        super().__init__("switchback select", gdb.COMMAND_STACK)

    def invoke(self, argument, _from_tty):
        PARKED.reset()
        words = gdb.string_to_argv(argument)
        if not words:
            return
        process = Process()
        co = next((co for co in process.all if co.number == int(words[0])), None)
        if co is None:
            raise gdb.GdbError(f"switchback: there is no coroutine {words[0]}")
        if co.thread is not None:
            co.thread.switch()
        elif co.record is None:
            raise gdb.GdbError(f"switchback: coroutine {co.number} has no parked frame to be shown: it is {co.state}")
        else:
            PARKED.select(process, co.record)
            frame = gdb.newest_frame()
            while frame.older() is not None and PARKED.origin == (
                int(frame.read_register(process.registers[0])),
                frame.pc(),
            ):
                frame = frame.older()
            frame.select()


# What is selected is selected until the process goes on.
gdb.events.cont.connect(lambda _event: PARKED.reset() if PARKED.record is not None else None)

Switchback()
Coroutines()
Select()
