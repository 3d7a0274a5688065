"""``complaints keys``: the key that the vault is under, and its rotation."""

import typer

from complaint_assets.cli.common import AsJson, WrongUse, show, stores
from resources.settings import settings

app = typer.Typer(no_args_is_help=True, help="The key of the vault and its rotation.")


@app.command("show")
def keys_show(as_json: AsJson = False) -> None:
    """Which key the vault is under, by its id, and how many identifiers it holds."""
    vault = stores().vault
    show([{"key_id": vault.key_id, "identifiers": vault.count()}], as_json, "Vault")


@app.command("rotate")
def keys_rotate(as_json: AsJson = False) -> None:
    """Move the vault from COMPLAINTS_KEY to COMPLAINTS_KEY_NEW; no table changes.

    Stop the sensors first: a process that holds the old key is refused afterwards. Then put the new key into
    COMPLAINTS_KEY. What rotates: the lookup of every identifier, the wrap of every customer's data key and of the
    secret behind the other pseudonyms. What does not: subject ids, data keys and that secret, so every fact
    stays as it is; a copy of the vault taken before can still be opened with the old key: destroy it.
    """
    new = settings().new_master_key()
    if new is None:
        raise WrongUse("put the new key, at least 32 characters, into COMPLAINTS_KEY_NEW")
    vault = stores().vault
    old = vault.key_id
    done = vault.rotate(new)
    show([{"from_key": old, "to_key": vault.key_id, "identifiers": done}], as_json, "Rotated")
    if not as_json:
        typer.echo("Now set COMPLAINTS_KEY to the new key, remove COMPLAINTS_KEY_NEW and start everything again.")
