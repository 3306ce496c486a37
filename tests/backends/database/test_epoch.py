from backends.database.database import Database
from backends.database.epoch import read_epoch, renew_epoch


async def test_the_epoch_stays_until_it_is_renewed(database: Database) -> None:
    first = await database.read(read_epoch)
    assert first == await database.read(read_epoch)
    renewed = await database.write(renew_epoch)
    assert renewed != first
    assert await database.read(read_epoch) == renewed
