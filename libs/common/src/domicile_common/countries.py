"""Countries and groups of countries, as data. Pure.

Codes are the officially assigned ISO 3166-1 alpha-2 codes (https://www.iso.org/obp/ui/#search/code/), in capitals. Reserved
codes such as UK and EU are not countries; zone names of providers that only look like codes are never derived from names.
A group means its member states themselves: territories with a code of their own (RE, GL, AX ...) are named where they are wanted.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

COUNTRIES: frozenset[str] = frozenset(
    """
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ
    CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR
    GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP
    KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT
    MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW
    SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ
    UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW
    """.split()  # noqa: SIM905 - a table of codes is checked by eye, a list of 249 quoted strings is not
)

_EU = tuple("AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK".split())  # noqa: SIM905 - as above

GROUPS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "EU": _EU,  # European Union, 27 members since 2020-02-01
        "EEA": (*_EU, "IS", "LI", "NO"),  # European Economic Area
        "EFTA": ("CH", "IS", "LI", "NO"),
        "DACH": ("AT", "CH", "DE"),
        "NORDICS": ("DK", "FI", "IS", "NO", "SE"),
        "BALTICS": ("EE", "LT", "LV"),
        "BENELUX": ("BE", "LU", "NL"),
        "VISEGRAD": ("CZ", "HU", "PL", "SK"),
    }
)
