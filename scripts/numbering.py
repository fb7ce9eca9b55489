"""The rows of sql/data/dialer_countries.csv, how numbers are written in each country, from the phonenumbers library."""

from __future__ import annotations

from collections.abc import Iterator

import phonenumbers
from phonenumbers import PhoneMetadata

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
