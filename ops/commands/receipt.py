"""`relaymesh receipt`: mint the receipt of a gift, as the platform's back end does."""

import secrets
import time
from pathlib import Path

import click

from ops.commands import options
from ops.commands.token import secret
from ops.config.sources import RECEIPT_SECRET_VARIABLE
from ops.errors import Refusal
from proto.receipts import MAX_LIFE_S, Receipt, mint_receipt
from proto.token_keys import hs256


@click.command("receipt")
@click.argument("uid")
@click.argument("room")
@click.argument("gift")
@click.argument("value", type=click.IntRange(min=0))
@click.option("--count", default=1, show_default=True, type=click.IntRange(min=1))
@click.option("--jti", default="", metavar="ID", help="Id of the receipt. Default: a random one.")
@click.option("--ttl-s", default=600, show_default=True, help="Seconds until it expires.")
@options.state_dir("State folder of the local cluster whose secret signs it.")
@options.secret_file
def command(
    uid: str,
    room: str,
    gift: str,
    value: int,
    count: int,
    jti: str,
    ttl_s: int,
    state_dir: Path,
    secret_file: Path | None,
) -> None:
    """Print a receipt: UID has paid for a GIFT worth VALUE in ROOM.

    It is signed with the secret in --secret-file, else in the environment variable
    RELAYMESH_RECEIPT_SECRET, else of the local cluster in --state-dir.
    """
    if not 1 <= ttl_s <= MAX_LIFE_S:
        raise Refusal(f"--ttl-s: expected 1 to {MAX_LIFE_S}, got {ttl_s}")
    receipt = Receipt(
        jti=jti or secrets.token_hex(16),
        sub=uid,
        room=room,
        gift=gift,
        value=value,
        count=count,
        exp=int(time.time()) + ttl_s,
    )
    signing = secret(secret_file, state_dir, "receipt_secret", RECEIPT_SECRET_VARIABLE)
    try:
        click.echo(mint_receipt(receipt, hs256(signing)))
    except ValueError as error:
        raise Refusal(str(error)) from None
