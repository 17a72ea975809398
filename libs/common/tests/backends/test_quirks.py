from domicile_common.backends.quirks import QUIRKS, quirks_of
from domicile_common.testing.memory import backend


def test_a_registration_names_its_quirks():
    assert quirks_of(backend("fi", quirks="rclone")) == QUIRKS["rclone"]


def test_unknown_quirks_are_generic_and_generic_trusts_no_etag():
    assert quirks_of(backend("fi", quirks="of the future")) == QUIRKS["generic"]
    assert not QUIRKS["generic"].etag_is_md5
