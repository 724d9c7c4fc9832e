//! What `/metrics` answers. What it says of variants changes with a pass and not with a scrape: it is
//! written once and kept compressed, and a scrape adds the counters of the process behind it.

use std::io::{Read as _, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use flate2::read::GzDecoder;
use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};
use prometheus::{Registry, TextEncoder};

use super::StatusSource;
use super::shown::Shown;
use super::{totals, variants};
use crate::model::status::FleetStatus;

/// A gzip member without name, time or system (RFC 1952, section 2.3).
const HEADER: [u8; 10] = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0xFF];
/// How hard the text about variants is compressed, which is done once and sent with every scrape. 50 MB of 10,000
/// variants are 1.65 MB and 85 ms at level 4, 1.54 and 204 at 7, 1.47 and 451 at this one, 1.46 and 707 at 9.
const LEVEL: u32 = 8;
/// How much text is compressed at once.
const PIECE_BYTES: usize = 64 * 1024;

/// Everything that `/metrics` shows.
pub struct Exposition {
    source: Arc<dyn StatusSource>,
    registry: Registry,
    shown: Shown,
    /// The text about variants, and of which status it is.
    made: Mutex<Option<(Weak<FleetStatus>, Arc<Part>)>>,
    /// Whether anybody has asked since it was last made ahead of time.
    asked: AtomicBool,
}

impl std::fmt::Debug for Exposition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exposition").field("shown", &self.shown).finish_non_exhaustive()
    }
}

impl Exposition {
    /// Of the variants that `source` publishes, and of what is registered.
    pub(super) fn new(source: Arc<dyn StatusSource>, registry: Registry, shown: Shown) -> Self {
        Self { source, registry, shown, made: Mutex::default(), asked: AtomicBool::new(false) }
    }

    /// The text, compressed with gzip.
    ///
    /// # Errors
    /// When a collector breaks the format's rules.
    pub fn gzip(&self) -> std::io::Result<Vec<u8>> {
        self.asked.store(true, Ordering::Relaxed);
        let variants = self.variants()?;
        let process = TextEncoder::new().encode_to_string(&self.registry.gather());
        let process = process.map_err(std::io::Error::other)?;
        let mut body = Vec::with_capacity(HEADER.len() + variants.deflated.len() + 16 * 1024);
        body.extend(HEADER);
        body.extend(&variants.deflated);
        // Blocks that know nothing of those before them: they may stand behind any others.
        let mut encoder = DeflateEncoder::new(body, Compression::fast());
        encoder.write_all(process.as_bytes())?;
        let mut body = encoder.finish()?;
        let (mut crc, mut own) = (Crc::new(), Crc::new());
        own.update(process.as_bytes());
        crc.combine(&variants.crc);
        crc.combine(&own);
        body.extend(crc.sum().to_le_bytes());
        body.extend(crc.amount().to_le_bytes());
        Ok(body)
    }

    /// The text, piece by piece: that of a large fleet is some 50 MB, and compressed a thirtieth of it.
    ///
    /// # Errors
    /// As [`Self::gzip`].
    pub fn pieces(
        &self,
    ) -> std::io::Result<impl Iterator<Item = std::io::Result<Vec<u8>>> + use<>> {
        let mut text = GzDecoder::new(std::io::Cursor::new(self.gzip()?));
        let next = move || {
            let mut piece = Vec::with_capacity(PIECE_BYTES);
            let read =
                std::io::Read::by_ref(&mut text).take(PIECE_BYTES as u64).read_to_end(&mut piece);
            (!piece.is_empty() || read.is_err()).then(|| read.map(|_| piece))
        };
        Ok(std::iter::from_fn(next).fuse())
    }

    /// The text as a whole, for a fleet that somebody looks at once.
    ///
    /// # Errors
    /// As [`Self::gzip`].
    pub fn text(&self) -> std::io::Result<String> {
        let mut text = String::new();
        GzDecoder::new(&self.gzip()?[..]).read_to_string(&mut text)?;
        Ok(text)
    }

    /// Writes what there is to say of the newest pass before anybody asks, if somebody did since the
    /// pass before: a scrape then takes what is there.
    pub fn prepare(&self) {
        if self.asked.swap(false, Ordering::Relaxed)
            && let Err(error) = self.variants()
        {
            tracing::error!(%error, "the metrics of the variants could not be written");
        }
    }

    fn variants(&self) -> std::io::Result<Arc<Part>> {
        let fleet = self.source.fleet();
        // Held while it is made: who else asks for it has it a moment later.
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, part)) = &*made
            && std::ptr::eq(of.as_ptr(), Arc::as_ptr(&fleet))
        {
            return Ok(Arc::clone(part));
        }
        let part = Arc::new(Part::of(&fleet, self.shown)?);
        *made = Some((Arc::downgrade(&fleet), Arc::clone(&part)));
        Ok(part)
    }
}

/// The first part of a compressed text.
struct Part {
    /// Blocks of which none is the last, up to a whole byte.
    deflated: Vec<u8>,
    crc: Crc,
}

impl Part {
    fn of(fleet: &FleetStatus, shown: Shown) -> std::io::Result<Self> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::new(LEVEL));
        let mut crc = Crc::new();
        let mut sink = |piece: &str| {
            crc.update(piece.as_bytes());
            encoder.write_all(piece.as_bytes())
        };
        sink(&totals::text(fleet, shown))?;
        variants::write(fleet, shown, PIECE_BYTES, &mut sink)?;
        encoder.flush()?;
        let mut deflated = std::mem::take(encoder.get_mut());
        deflated.shrink_to_fit();
        Ok(Self { deflated, crc })
    }
}
