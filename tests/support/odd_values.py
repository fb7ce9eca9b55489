"""Two hundred odd things that somebody may write into a column."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.support.writers import Value

# fmt: off
TEXTS = [
    # nothing, nearly nothing, blanks of all kinds
    "", " ", "  ", "\u00a0", "\ufeff", "\u200b", "\u3000", "\t", "\n", "\r", "\r\n", "\x00", "\x00\x00", "a\x00b",
    # control characters, C0 and C1, separators of lines and paragraphs, marks of direction
    "\x01", "\x08", "\x0b", "\x0c", "\x1b[31mred", "\x1f", "\x7f", "\x80", "\x85", "\x9b31m", "\u2028", "\u2029",
    "\u202eabc", "\u200f1", "a\nb", "a\rb", "1\n", "\n1", "12\r", "a\r\nAction: Command", "x\tb",
    # numbers, well and badly written
    "0", "1", "-1", "00", "007", "+1", "-0", "1.", ".5", "0.5", "1.5", "-1.5", "1,5", "1 000", "1_000", "1e3",
    "7.9E+10", "0x1F", "0b1", "1/2", "½", "٣", "\uff11\uff12\uff13", "一", "VII", "NaN", "nan", "Infinity", "-inf",
    "99", "100", "600", "601",
    "127", "128", "255", "256", "32767", "32768", "2147483647", "2147483648", "-2147483648", "4294967296",
    "9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809", "1" * 40,
    " 1", "1 ", " 1 ", "1a", "a1", "0.0004", "0.001", "999999", "1000000", "1e400", "1e-400", "10001",
    # booleans
    "true", "false", "TRUE", "t", "f", "yes", "no", "on", "off", "True", "null", "NULL", "None", "\\N", "nil",
    "undefined",
    # telephone numbers
    "+79991234567", "79991234567", "8 (999) 123-45-67", "+7-999", "tel:+7999", "+", "#", "*", "**", "*#06#", "+#*",
    "1#", "\u00a07999", "7999\u00a0", "+٧٩٩٩", "7.9E+10", "7999,7998", "7999w123", "7999;ext=5", "1" * 80, "1" * 81,
    "+" + "1" * 79,
    # zones and offsets
    "Z", "z", "UTC", "gmt", "+3", "+03", "+03.00h", "+3.5h", "-3:30", "+14", "+14:15", "-12", "-12:15", "+03:00:00",
    "3", "Europe/Moscow", "europe/moscow", "EUROPE/MOSCOW", "Europe/Moskau", "Europe/ Moscow", "Europe", "Japan",
    "GB", "EST5EDT", "PRC", "NZ-CHAT", "W-SU", "CET", "EST", "MST", "HST", "WET", "MSK", "Zulu", "UCT",
    "posix/Europe/Moscow", "posixrules", "right/Europe/Moscow", "Etc/GMT+3", "Etc/GMT-14", "Etc/GMT+13", "Factory",
    "localtime", "SYSTEM", "Asia/Kolkata", "MST7MDT", "America/Argentina/Buenos_Aires", "America/Port-au-Prince",
    "Etc/Unknown", "../../etc/passwd", "<+03>-3", "Europe/Mos5",
    # times of day
    "9", "9:00", "09:00", "09:00:00", "9:0", "24:00", "24:00:00", "24:00:01", "25:00", "-1:00", "9am", "09.00",
    "09:00:00.5", "23:59:59", "23:60", "00:00", "12:00 PM", "09:00|10:00", "\uff19:00", "10:00+03", "10:00Z", "now",
    "noon", "allballs",
    # instants
    "2026-11-29", "2026-11-29 10:00", "2026-11-29 10:00:00", "2026-11-29T10:00:00", "2026-11-29 10:00:07",
    "20261129", "2026-11-29 10:00+03", "2026-11-29 10:00-03", "2026-11-29 10+03", "2026-11-29 10:00+00",
    "2026-11-29 10:00:00+03", "2026-11-29 10:00+03:30", "2026-11-29 10:00:00.5+03:00", "2026-11-29T10:00Z",
    "2026-11-29 10:00 UTC", "29.11.2026", "11/29/2026", "2026-02-30", "2026-13-01", "2026-11-29 24:00",
    "2026-11-29 25:00", "0000-00-00", "0000-00-00 00:00:00", "0001-01-01", "1970-01-01", "1970-12-31 23:59:59",
    "1971-01-01", "2038-01-18 23:59:59", "2038-01-19", "2038-01-19 03:14:08", "2039-01-01", "9999-12-31",
    "10000-01-01", "294276-12-31", "-1-01-01", "44-03-15 BC", "infinity", "-infinity", "epoch",
    "tomorrow", "today", "yesterday", "2026-11-29 10:00:00.123456789", "26-1-2", "1780000000", "2026-11-29 10:00\r",
    # SQL, AMI, dialplan, markup
    "'", "''", '"', "`", "\\", "\\'", "'; DROP TABLE dialer_clients; --", "x' OR '1'='1", "${EXTEN}", "{number}",
    "$(id)", "%s", "%(x)s", ":x", "?", "<b>", "&amp;", "a,b", "a|b",
    "a;b", "~", "{}", "[]", '{"a": 1}', "DEFAULT", "now()",
    # letters of the world, half and whole
    "Жанна д'Арк", "Ó Súilleabháin", "山田太郎", "مرحبا", "שלום", "नमस्ते", "e\u0301", "ß", "İ", "ﬁ", "😀", "👨‍👩‍👧",
    "\U0010ffff", "\uffff", "\uff41\uff42\uff43", "p", "P", "p ", " p", "default", "Default", "-", "_", "x" * 100,
    "x" * 101, "ж" * 100, "😀" * 100, "x" * 200, "x" * 201, "x" * 255, "x" * 256, "x" * 400, "x" * 401, "x" * 1000,
    "x" * 1001, "ж" * 1000, "x" * 2001, "x" * 100_000,
    # what the columns of projects and trunks mean
    "progressive", "predictive", "autoinforming", "Progressive", "hangup", "message", "queue", "1:2", "3:1,1:2",
    "2:1, 1:2", "1:3", "4:1", "1:2,", ",".join(["1:2"] * 25), ",".join(["1:2"] * 26), "_X.", "100", "from-out.2",
    '"We" <+49 30 1>', "PJSIP/{number}@carrier", "Local/{number}@out/n", "SIP/{number}{number}", "SIP/x",
    "SIP/{number}&SIP/1", "SIP/ {number}", "PJSIP/{number}@" + "c" * 165, "PJSIP/{number}@" + "c" * 166,
    "PJSIP/{number}@" + "ж" * 82, "PJSIP/{number}@" + "ж" * 83,
    # minutes before redials
    "1,1", "1, 20", "1,,1", "1;1", ",1", "9999999", "999999,999999", ",".join(["1"] * 250), ",".join(["1"] * 251),
]
# fmt: on

BYTES = [b"\xed\xa0\x80", b"\xff", b"\xc3", b"a\xc3(b", b"\xf5\x80\x80\x80", b"\xe9t\xe9", b"\xc0\x80"]
"""Half a surrogate pair, no UTF-8, a cut character, Latin-1, an over-long NUL."""

TYPED: list[Value] = [
    *(
        None,
        True,
        False,
        0,
        1,
        -1,
        2,
        100,
        1000,
        2**31 - 1,
        2**31,
        2**63 - 1,
        2**63,
        -(2**63),
        -(2**63) - 1,
        10**18,
        10**18 + 1,
    ),
    *(0.5, 1.5, 2.5, 0.0004, 1e10, 1e300, -1e-300),
    *(datetime(2026, 11, 29, 10, tzinfo=UTC), datetime(2037, 12, 31, tzinfo=UTC), datetime(1969, 1, 1, tzinfo=UTC)),
]

VALUES: list[Value] = [*dict.fromkeys(TEXTS), *BYTES, *TYPED]
