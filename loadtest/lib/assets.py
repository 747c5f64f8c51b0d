"""Assets that nobody has uploaded: benches/seed.rs puts them straight into a store."""

import subprocess

from lib.benches import binary
from lib.server import TENANT

_FIRST = "med_01JC8Z3V5N"
_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def seed(context, data, assets, tenants=0):
    """Fills the store of a folder, before a server opens it. Further tenants have the keys `load-test-{number}`."""
    subprocess.run([binary(), "--seed", context.folder / data, TENANT, str(assets), str(tenants)], check=True)


def asset_id(number):
    """The id of an asset that was put in."""
    digits = ""
    for _ in range(16):
        number, digit = divmod(number, 32)
        digits = _DIGITS[digit] + digits
    return _FIRST + digits
