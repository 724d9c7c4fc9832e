//! Tables of what is kept of variants over a restart: one record each, packed, and bounded.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use redb::{ReadableTable, TableDefinition, WriteTransaction};

use super::disk::{Disk, Result, Trouble, VARIANTS, guarded, numbers};
use crate::model::ids::{Scope, VariantId};
use crate::model::time::Timestamp;

/// A record, packed.
const RECORDS: TableDefinition<'_, u32, &[u8]> = TableDefinition::new("records");
/// When a record was written, in seconds, and its length: what bounds them is read without them.
const RECORDS_ABOUT: TableDefinition<'_, u32, (u64, u32)> = TableDefinition::new("records_about");
/// What does not change of an account and region, packed.
const DESCRIBED: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("described");

/// Older records are of no use: history does not reach so far back.
const OLDEST_SECONDS: u64 = 16 * 86_400;
/// The most that a record may be once it is unpacked: one is some 60 KiB.
const UNPACKED_MAX: u64 = 16 << 20;
/// What a record takes of the file for each of its bytes: a page holds one or two of them, and those that
/// a commit replaces are free only after it.
const PAGES: u64 = 2;

/// Makes the tables, so that each is there to be read.
pub(super) fn make(write: &WriteTransaction) -> Result<()> {
    write.open_table(RECORDS).map_err(Trouble::of)?;
    write.open_table(RECORDS_ABOUT).map_err(Trouble::of)?;
    write.open_table(DESCRIBED).map_err(Trouble::of)?;
    Ok(())
}

/// How much of the file the records take, in bytes.
pub(super) fn bytes(write: &WriteTransaction) -> Result<u64> {
    let about = write.open_table(RECORDS_ABOUT).map_err(Trouble::of)?;
    let mut bytes = 0;
    for row in about.iter().map_err(Trouble::of)? {
        bytes += PAGES * u64::from(row.map_err(Trouble::of)?.1.value().1);
    }
    Ok(bytes)
}

impl Disk {
    /// The records of these variants, unpacked, in their order.
    pub(super) fn records(&self, of: &[VariantId]) -> Result<Vec<Option<Vec<u8>>>> {
        guarded(|| {
            let read = self.read()?;
            let variants = read.open_table(VARIANTS).map_err(Trouble::of)?;
            let records = read.open_table(RECORDS).map_err(Trouble::of)?;
            let mut found = Vec::with_capacity(of.len());
            for id in of {
                let number = variants.get(id.to_string().as_str()).map_err(Trouble::of)?;
                let Some(number) = number else {
                    found.push(None);
                    continue;
                };
                let record = records.get(number.value()).map_err(Trouble::of)?;
                // What cannot be unpacked is a record all the same: whoever reads it says so.
                found.push(record.map(|record| unpack(record.value()).unwrap_or_default()));
            }
            Ok(found)
        })
    }

    /// Keeps these records, all or none, in at most so many bytes: the oldest ones go.
    pub(super) fn keep_records(
        &self,
        records: &[(VariantId, Vec<u8>)],
        now: Timestamp,
        bytes_max: u64,
    ) -> Result<()> {
        let packed: Vec<Vec<u8>> = records.iter().map(|(_, record)| pack(record)).collect();
        let now = u64::try_from(now.timestamp()).unwrap_or(0);
        guarded(|| {
            let write = self.write()?;
            let numbers = numbers(&write, records.iter().map(|(id, _)| id))?;
            {
                let mut table = write.open_table(RECORDS).map_err(Trouble::of)?;
                let mut about = write.open_table(RECORDS_ABOUT).map_err(Trouble::of)?;
                for ((id, _), packed) in records.iter().zip(&packed) {
                    let Some(number) = numbers.get(id) else { continue };
                    let length = u32::try_from(packed.len()).unwrap_or(u32::MAX);
                    table.insert(number, packed.as_slice()).map_err(Trouble::of)?;
                    about.insert(number, (now, length)).map_err(Trouble::of)?;
                }
            }
            bound(&write, now, bytes_max)?;
            write.commit().map_err(Trouble::of)
        })
    }

    /// What is kept of an account and region as a whole, unpacked.
    pub(super) fn described(&self, scope: &Scope) -> Result<Option<Vec<u8>>> {
        guarded(|| {
            let read = self.read()?;
            let table = read.open_table(DESCRIBED).map_err(Trouble::of)?;
            let found = table.get(scope.to_string().as_str()).map_err(Trouble::of)?;
            Ok(found.and_then(|found| unpack(found.value())))
        })
    }

    pub(super) fn keep_described(&self, scope: &Scope, bytes: &[u8]) -> Result<()> {
        let packed = pack(bytes);
        guarded(|| {
            let write = self.write()?;
            {
                let mut table = write.open_table(DESCRIBED).map_err(Trouble::of)?;
                table.insert(scope.to_string().as_str(), packed.as_slice()).map_err(Trouble::of)?;
            }
            write.commit().map_err(Trouble::of)
        })
    }
}

/// Takes away the records of these variants.
pub(super) fn forget(write: &WriteTransaction, of: &BTreeSet<u32>) -> Result<()> {
    let mut records = write.open_table(RECORDS).map_err(Trouble::of)?;
    let mut about = write.open_table(RECORDS_ABOUT).map_err(Trouble::of)?;
    for number in of {
        records.remove(number).map_err(Trouble::of)?;
        about.remove(number).map_err(Trouble::of)?;
    }
    Ok(())
}

/// Takes away records that are too old, and the oldest of those that there is no room for.
fn bound(write: &WriteTransaction, now: u64, bytes_max: u64) -> Result<()> {
    let mut records = write.open_table(RECORDS).map_err(Trouble::of)?;
    let mut about = write.open_table(RECORDS_ABOUT).map_err(Trouble::of)?;
    let (mut by_age, mut total) = (BTreeMap::new(), 0);
    for row in about.iter().map_err(Trouble::of)? {
        let (number, row) = row.map_err(Trouble::of)?;
        let (at, length) = row.value();
        let bytes = PAGES * u64::from(length);
        total += bytes;
        by_age.insert((at, number.value()), bytes);
    }
    for ((at, number), bytes) in by_age {
        if at.saturating_add(OLDEST_SECONDS) >= now && total <= bytes_max {
            break;
        }
        records.remove(number).map_err(Trouble::of)?;
        about.remove(number).map_err(Trouble::of)?;
        total -= bytes;
    }
    Ok(())
}

fn pack(record: &[u8]) -> Vec<u8> {
    let mut packed = ZlibEncoder::new(Vec::with_capacity(record.len() / 4), Compression::new(3));
    // Memory takes everything; what did not arrive would not unpack.
    let _ = packed.write_all(record);
    packed.finish().unwrap_or_default()
}

/// The reverse; it has a checksum.
fn unpack(packed: &[u8]) -> Option<Vec<u8>> {
    let mut record = Vec::with_capacity(packed.len() * 8);
    ZlibDecoder::new(packed).take(UNPACKED_MAX).read_to_end(&mut record).ok()?;
    Some(record)
}
