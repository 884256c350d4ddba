//! Operation ids: `(prefix, position)` hashed as the official Python SDK hashes it.
//!
//! The raw string is `<prefix>-<position>`, or `<position>` without a prefix; the id is the first 64 hexadecimal
//! characters of its unkeyed 64-byte BLAKE2b digest (which is not BLAKE2b with a 32-byte digest).

use std::sync::OnceLock;

use blake2b_simd::many::{HashManyJob, hash_many};

/// Characters of an id that is written out.
pub const ID_LENGTH: usize = 64;
/// Bytes of an id that is not.
const ID_BYTES: usize = ID_LENGTH / 2;

/// Ids are hashed so many at a time: vector instructions take four for the price of two.
const AHEAD: usize = 4;

/// Ids without a prefix depend on the position alone: those below `CHUNKS * CHUNK` are kept for the whole process.
const CHUNK: usize = 64;
const CHUNKS: usize = 16 * 1024;

/// An operation id as 32 bytes: what its 64 hexadecimal characters spell. Ids of another form (that of the execution, those
/// of other SDKs) are represented by a digest of their text, so that any two texts are told apart by these bytes alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id([u8; ID_BYTES]);

impl Id {
    const ZERO: Self = Self([0; ID_BYTES]);

    fn of_digest(digest: &[u8]) -> Self {
        let mut id = Self::ZERO;
        id.0.copy_from_slice(&digest[..ID_BYTES]);
        id
    }

    /// Read an id as it stands in a record.
    #[inline]
    pub fn of_text(text: &[u8]) -> Self {
        match text.try_into().ok().and_then(parse_hex) {
            Some(id) => Self(id),
            None => Self::of_other_text(text),
        }
    }

    #[cold]
    fn of_other_text(text: &[u8]) -> Self {
        let mut params = blake2b_simd::Params::new();
        // Personalised, so that it is the digest of no raw string of a position.
        params.hash_length(ID_BYTES).personal(b"text of an id");
        Self::of_digest(params.hash(text).as_bytes())
    }

    /// The 64 characters of an id that has that form.
    pub fn hex(&self) -> [u8; ID_LENGTH] {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let mut hex = [0; ID_LENGTH];
        for (pair, byte) in hex.chunks_exact_mut(2).zip(self.0) {
            pair[0] = HEX[usize::from(byte >> 4)];
            pair[1] = HEX[usize::from(byte & 15)];
        }
        hex
    }

    /// The first 64 bits: ids are digests, so these spread evenly.
    #[inline]
    pub fn key(&self) -> u64 {
        self.0
            .first_chunk()
            .map_or(0, |first| u64::from_le_bytes(*first))
    }
}

impl std::fmt::Display for Id {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

/// Lower-case hexadecimal, eight characters at a time in one machine word, without branches.
#[inline]
fn parse_hex(text: &[u8; ID_LENGTH]) -> Option<[u8; ID_BYTES]> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let mut id = [0; ID_BYTES];
    let mut wrong = 0;
    for (bytes, characters) in id.chunks_exact_mut(4).zip(text.chunks_exact(8)) {
        let word = characters.try_into().map_or(0, u64::from_le_bytes);
        // Letters have bit 6; the low half of `a` is 1.
        let digits = (word & (0x0f * ONES)) + 9 * ((word >> 6) & ONES);
        // Written again, a digit must give the character that it was read from; nothing above 15 is a digit.
        let letters = ((digits + 6 * ONES) >> 4) & ONES;
        wrong |= (digits + 0x30 * ONES + 0x27 * letters) ^ word | digits & (0x10 * ONES);
        let pairs = (digits << 4 | digits >> 8) & 0x00ff_00ff_00ff_00ff;
        let halves = (pairs | pairs >> 8) & 0x0000_ffff_0000_ffff;
        let [a, b, _, _, c, d, _, _] = halves.to_le_bytes();
        bytes.copy_from_slice(&[a, b, c, d]);
    }
    (wrong == 0).then_some(id)
}

/// The id of a raw string.
pub fn hash(raw: &[u8]) -> Id {
    Id::of_digest(blake2b_simd::blake2b(raw).as_bytes())
}

/// The id of the operation at `position` under `prefix`; an empty prefix is none.
pub fn operation_id(prefix: &str, position: u64) -> Id {
    let mut raw = Vec::with_capacity(prefix.len() + 21);
    write_raw(&mut raw, prefix, position);
    hash(&raw)
}

/// The prefix of the scope of the `ordinal`-th task of that qualname under `parent_prefix`.
pub fn task_scope_prefix(parent_prefix: &str, qualname: &str, ordinal: u64) -> Id {
    hash(format!("{parent_prefix}~{qualname}~{ordinal}").as_bytes())
}

fn write_raw(raw: &mut impl std::io::Write, prefix: &str, position: u64) {
    // Vectors take every write, and the buffers of `four` are long enough.
    if !prefix.is_empty() {
        let _ = raw.write_all(prefix.as_bytes());
        let _ = raw.write_all(b"-");
    }
    let _ = raw.write_all(itoa::Buffer::new().format(position).as_bytes());
}

fn four(prefix: &str, first: u64) -> [Id; AHEAD] {
    // A block of BLAKE2b: prefixes are ids or empty, so that everything fits.
    const BLOCK: usize = 128;
    if prefix.len() > BLOCK - 21 {
        let mut position = first;
        return [(); AHEAD].map(|()| {
            let id = operation_id(prefix, position);
            position = position.saturating_add(1);
            id
        });
    }
    let params = blake2b_simd::Params::new();
    let mut raws = [[0_u8; BLOCK]; AHEAD];
    let mut sizes = [0; AHEAD];
    let mut position = first;
    for (raw, size) in raws.iter_mut().zip(&mut sizes) {
        let mut rest = &mut raw[..];
        write_raw(&mut rest, prefix, position);
        *size = BLOCK - rest.len();
        position = position.saturating_add(1);
    }
    let job = |at: usize| HashManyJob::new(&params, &raws[at][..sizes[at]]);
    let mut jobs = [job(0), job(1), job(2), job(3)];
    hash_many(jobs.iter_mut());
    jobs.each_ref()
        .map(|job| Id::of_digest(job.to_hash().as_bytes()))
}

static ROOT: [OnceLock<Box<[Id; CHUNK]>>; CHUNKS] = [const { OnceLock::new() }; CHUNKS];

fn root_chunk(number: usize) -> Box<[Id; CHUNK]> {
    let mut ids = Box::new([Id::ZERO; CHUNK]);
    for (offset, group) in ids.chunks_exact_mut(AHEAD).enumerate() {
        group.copy_from_slice(&four("", (number * CHUNK + offset * AHEAD) as u64));
    }
    ids
}

/// The ids under one prefix, in order, hashed a few ahead of the one that is asked for.
#[derive(Debug)]
pub struct Ids {
    prefix: Box<str>,
    /// The position of the first id in `ahead`, if there is any yet.
    first: Option<u64>,
    ahead: [Id; AHEAD],
}

impl Ids {
    /// The ids under `prefix`; an empty one is none.
    pub fn new(prefix: &str) -> Self {
        Self {
            prefix: prefix.into(),
            first: None,
            ahead: [Id::ZERO; AHEAD],
        }
    }

    /// The prefix, empty if there is none.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The id at a position, counted from 1 (branches of a batch from 0).
    #[inline]
    pub fn at(&mut self, position: u64) -> Id {
        if self.prefix.is_empty() {
            let place = usize::try_from(position).unwrap_or(usize::MAX);
            if let Some(chunk) = ROOT.get(place / CHUNK) {
                return chunk.get_or_init(|| root_chunk(place / CHUNK))[place % CHUNK];
            }
        }
        let offset = self
            .first
            .map_or(u64::MAX, |first| position.wrapping_sub(first));
        match usize::try_from(offset)
            .ok()
            .and_then(|offset| self.ahead.get(offset))
        {
            Some(id) => *id,
            None => self.hash_ahead(position),
        }
    }

    fn hash_ahead(&mut self, position: u64) -> Id {
        self.first = Some(position);
        self.ahead = four(&self.prefix, position);
        self.ahead[0]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn published_vectors() {
        let root1 = operation_id("", 1);
        assert_eq!(
            &root1.to_string(),
            "1ced8f5be2db23a6513eba4d819c73806424748a7bc6fa0d792cc1c7d1775a97"
        );
        for (position, expected) in [
            (
                2,
                "c5faca15ac2f93578b39ef4b6bbb871bdedce4ddd584fd31f0bb66fade3947e6",
            ),
            (
                3,
                "6f760b9e9eac89f07ab0223b0f4acb04d1e355d893a1b86a83f4d4b405adee99",
            ),
            (
                10,
                "f2e74cbc3eff574bbc45333c30edb947858543afda4cafdde2903324c9de0bd9",
            ),
        ] {
            assert_eq!(operation_id("", position).to_string(), expected);
        }
        for (position, expected) in [
            (
                1,
                "974bfc6321e227b0ff101342eaf19b336f002dc6cc99c18f0941a7755cc20fc4",
            ),
            (
                2,
                "9d8bc609108ec7b3600d6cceec22d18553e3e1ec52a3568cb251464a3d39d24f",
            ),
            (
                0,
                "1712f93e2f51df042e2b933907d75accfe34a48fe4a42a24e0b08131bc72d591",
            ),
        ] {
            assert_eq!(
                operation_id(&root1.to_string(), position).to_string(),
                expected
            );
        }
        assert_eq!(
            operation_id(&operation_id(&root1.to_string(), 0).to_string(), 1).to_string(),
            "48550629202cb2d0e1bd4f07d826361bbd2defa71565264c01647fc2da0e9b1e"
        );
    }

    #[test]
    fn task_scope_vectors() {
        let root1 = operation_id("", 1);
        let first = task_scope_prefix("", "worker", 1);
        let callbacks = task_scope_prefix("", "@", 0);
        for (prefix, expected, position, operation) in [
            (
                first,
                "7b16a1cbb40e3d895084879853a190ad1ac0cead18cb9dbec1e36c7856318368",
                1,
                "376194abe323ff4e05a5c50d3bfd42e7465573c63af698db93edd03edb16e5b3",
            ),
            (
                first,
                "7b16a1cbb40e3d895084879853a190ad1ac0cead18cb9dbec1e36c7856318368",
                2,
                "6f549758d0e3bf7ee567d14c472803b5dc6523623aa194c3588115fce884d8f2",
            ),
            (
                task_scope_prefix("", "worker", 2),
                "40ca4a3283b63e51d57440f0188cdeddb577662f1e59faa3857d2bb078c71ccb",
                1,
                "4678aa2365419e328824add10f9dc95e3a271b7edda4515d23938b3d34d812aa",
            ),
            (
                task_scope_prefix(&first.to_string(), "fetch", 1),
                "b432c0ef80579b53c2d5d3ec752ada409206005978850f143ddedd1efcfbb388",
                1,
                "9cd3f76f9b5bf0abd0b3e61f74ff730c886821221343f63dcce594eeb01c4da8",
            ),
            (
                task_scope_prefix(&root1.to_string(), "worker", 1),
                "5a0d0fd549fad23fba50590498ae204d857c8ef1fd9531b6ed7052d21dae4df3",
                2,
                "c310ece6afab86e18c5ba78a99c0fbbd619f9d3aad04e8d0b542cbaff20d39c9",
            ),
            (
                task_scope_prefix("", "handler.<locals>.local", 1),
                "b5fe50ea12d9758a145ae7f228fa85f301fc8892651b521f9cfb903da7feee99",
                1,
                "51f3bdca34eb69e373a26b634143151a58de176f335f29ffe9ec8555347c464f",
            ),
            (
                task_scope_prefix(&callbacks.to_string(), "worker", 1),
                "a7d09d4366b79980eb961f2575daa760b4517ccde83b0ea13233b8814a748f3d",
                1,
                "3af5bb202eb272d806076cd5a7d1510c85e187251a225f5fad636b1de210d425",
            ),
            (
                task_scope_prefix("", "größe", 1),
                "1b1e7023604f98a1842e0769630fc89b8275453e180ade07cb1ecfcde2d6556c",
                1,
                "da2d28a180d4d0d2599e6291ee661452575c603882aedc61ce4e85599f38c5d7",
            ),
        ] {
            assert_eq!(prefix.to_string(), expected);
            assert_eq!(
                operation_id(&prefix.to_string(), position).to_string(),
                operation
            );
        }
        assert_eq!(
            callbacks.to_string(),
            "67939a97bd318c9dee0f7d03fff53f0b4e66088344f3d76c4376f7cac99baa24"
        );
    }

    #[test]
    fn texts_of_any_form_are_told_apart() {
        let id = operation_id("", 7);
        assert_eq!(Id::of_text(id.to_string().as_bytes()), id);
        assert_eq!(id.hex(), id.to_string().as_bytes());
        assert_ne!(Id::of_text(id.to_string().to_uppercase().as_bytes()), id);
        assert_ne!(Id::of_text(b"7"), id);
        assert_ne!(Id::of_text(b"execution-1"), Id::of_text(b"execution-2"));
        assert_ne!(Id::of_text(&[b'g'; 64]), Id::of_text(&[b'h'; 64]));
    }

    #[test]
    fn the_first_positions_of_a_scope() {
        for prefix in ["", "p"] {
            for position in 0..3 {
                assert_eq!(
                    Ids::new(prefix).at(position),
                    operation_id(prefix, position)
                );
            }
        }
    }

    proptest! {
        #[test]
        fn hexadecimal_is_read_as_written(bytes in prop::array::uniform32(any::<u8>()), at in 0_usize..64, other in any::<u8>()) {
            let id = Id(bytes);
            let mut text = id.hex();
            prop_assert_eq!(Id::of_text(&text), id);
            let was = std::mem::replace(&mut text[at], other);
            prop_assert_eq!(Id::of_text(&text) == id, was == other);
        }

        #[test]
        fn hashing_ahead_changes_nothing(
            positions in prop::collection::vec(0_u64..200_000, 1..40),
            prefix in "([0-9a-f]{64})?",
        ) {
            let mut ids = Ids::new(&prefix);
            for position in positions {
                for next in position..position + 3 {
                    prop_assert_eq!(ids.at(next), operation_id(&prefix, next));
                }
            }
        }
    }
}
