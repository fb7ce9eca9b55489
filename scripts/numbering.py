"""Renews sql/data/dialer_countries.csv, how numbers are written in each country, from the phonenumbers library.

`make data`, then look at the diff: a plan that has changed is a reason for a migration that fills the table anew.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from pathlib import Path

import phonenumbers
from phonenumbers import PhoneMetadata

TARGET = Path(__file__).resolve().parents[1] / "sql" / "data" / "dialer_countries.csv"

COLUMNS = ("country", "code", "trunk_prefix", "international_prefix", "lengths")


def plans() -> Iterator[tuple[str, ...]]:
    """A row per country, by its two letters."""
    for country in sorted(phonenumbers.SUPPORTED_REGIONS):
        metadata = PhoneMetadata.metadata_for_region(country)
        assert metadata is not None
        yield country, str(metadata.country_code), metadata.national_prefix or "", _abroad(metadata), _lengths(metadata)


def _abroad(metadata: PhoneMetadata) -> str:
    """The digits before an international number. Some libraries' prefixes are patterns; then the usual one is named."""
    for prefix in (metadata.preferred_international_prefix, metadata.international_prefix):
        digits = (prefix or "").replace("~", "")
        if digits.isdigit():
            return digits
    return "00"


def _lengths(metadata: PhoneMetadata) -> str:
    """The lengths of national numbers, of telephones in houses and of mobile ones.

    Without a trunk prefix a national number and one with the country code are told apart by length alone, so lengths
    that only some landlines have, longer than any mobile number's, are left out.
    """
    fixed, mobile = (
        set(described.possible_length) - {-1} if described else set()
        for described in (metadata.fixed_line, metadata.mobile)
    )
    lengths = fixed | mobile
    if metadata.national_prefix is None and mobile:
        lengths = {length for length in lengths if length <= max(mobile)}
    return "|" + "".join(f"{length}|" for length in sorted(lengths))


def main() -> int:
    TARGET.parent.mkdir(exist_ok=True)
    with TARGET.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(plans())
    return 0


if __name__ == "__main__":
    sys.exit(main())
