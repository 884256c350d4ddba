//! Operation ids: `(prefix, position)` hashed as the official Python SDK hashes it.
//!
//! The raw string is `<prefix>-<position>`, or `<position>` without a prefix; the id is the first 64 hexadecimal
//! characters of its unkeyed 64-byte BLAKE2b digest (which is not BLAKE2b with a 32-byte digest).

use std::io::Write as _;
use std::sync::{Mutex, PoisonError};

use blake2b_simd::many::{HashManyJob, hash_many};

/// Characters of an id.
pub const ID_LENGTH: usize = 64;

/// Ids are hashed so many at a time: vector instructions take four for the price of two.
const AHEAD: usize = 4;

/// Ids without a prefix that are kept for the whole process; they depend on the position alone.
const ROOT_TABLE_LIMIT: usize = 1 << 16;

/// An id, and its first 64 bits as a key for maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Id {
    /// The id as it is written: 64 hexadecimal characters.
    pub hex: [u8; ID_LENGTH],
    /// The first 16 characters as a number.
    pub key: u64,
}

impl Id {
    fn of_digest(digest: &[u8]) -> Self {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let mut hex = [0; ID_LENGTH];
        let mut key = [0; 8];
        for (pair, byte) in hex.chunks_exact_mut(2).zip(digest) {
            pair[0] = HEX[usize::from(byte >> 4)];
            pair[1] = HEX[usize::from(byte & 15)];
        }
        key.copy_from_slice(&digest[..8]);
        Self {
            hex,
            key: u64::from_be_bytes(key),
        }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.hex).unwrap_or_default()
    }
}

/// The map key of any id text: that of `Id` where it has that form, a hash of the text otherwise.
pub fn key_of(text: &[u8]) -> u64 {
    const NO_DIGIT: u8 = 16;
    if text.len() == ID_LENGTH {
        let mut key = 0_u64;
        let mut wrong = 0_u8;
        for &character in &text[..16] {
            let digit = match character {
                b'0'..=b'9' => character - b'0',
                b'a'..=b'f' => character - b'a' + 10,
                _ => NO_DIGIT,
            };
            wrong |= digit & NO_DIGIT;
            key = key << 4 | u64::from(digit & 15);
        }
        if wrong == 0 {
            return key;
        }
    }
    text.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
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

fn write_raw(raw: &mut Vec<u8>, prefix: &str, position: u64) {
    raw.clear();
    if !prefix.is_empty() {
        raw.extend_from_slice(prefix.as_bytes());
        raw.push(b'-');
    }
    let _ = write!(raw, "{position}"); // a Vec takes every write
}

fn four(prefix: &str, first: u64) -> [Id; AHEAD] {
    let params = blake2b_simd::Params::new();
    let mut raws: [Vec<u8>; AHEAD] = Default::default();
    for (raw, position) in raws.iter_mut().zip(first..) {
        write_raw(raw, prefix, position);
    }
    let mut jobs = raws.each_ref().map(|raw| HashManyJob::new(&params, raw));
    hash_many(jobs.iter_mut());
    jobs.each_ref()
        .map(|job| Id::of_digest(job.to_hash().as_bytes()))
}

static ROOT: Mutex<Vec<Id>> = Mutex::new(Vec::new());

/// The ids under one prefix, in order, hashed a few ahead of the one that is asked for.
#[derive(Debug)]
pub struct Ids {
    prefix: String,
    /// The position of the first id that is hashed already.
    first: Option<u64>,
    ahead: [Id; AHEAD],
}

impl Ids {
    /// The ids under `prefix`; an empty one is none.
    pub fn new(prefix: &str) -> Self {
        Self {
            prefix: prefix.to_owned(),
            first: None,
            ahead: [Id {
                hex: [0; ID_LENGTH],
                key: 0,
            }; AHEAD],
        }
    }

    /// The prefix, empty if there is none.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The id at a position, counted from 1 (branches of a batch from 0).
    pub fn at(&mut self, position: u64) -> Id {
        let offset = self
            .first
            .map_or(u64::MAX, |first| position.wrapping_sub(first));
        if let Some(id) = usize::try_from(offset)
            .ok()
            .and_then(|offset| self.ahead.get(offset))
        {
            return *id;
        }
        self.first = Some(position);
        self.ahead = if self.prefix.is_empty() {
            root(position)
        } else {
            four(&self.prefix, position)
        };
        self.ahead[0]
    }
}

fn root(position: u64) -> [Id; AHEAD] {
    let start = usize::try_from(position).unwrap_or(usize::MAX);
    if start > ROOT_TABLE_LIMIT {
        return four("", position);
    }
    let mut table = ROOT.lock().unwrap_or_else(PoisonError::into_inner);
    while table.len() < start + AHEAD {
        let next = table.len() as u64;
        table.extend_from_slice(&four("", next));
    }
    let mut ids = [table[start]; AHEAD];
    ids.copy_from_slice(&table[start..start + AHEAD]);
    ids
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn published_vectors() {
        let root1 = operation_id("", 1);
        assert_eq!(
            root1.as_str(),
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
            assert_eq!(operation_id("", position).as_str(), expected);
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
            assert_eq!(operation_id(root1.as_str(), position).as_str(), expected);
        }
        assert_eq!(
            operation_id(operation_id(root1.as_str(), 0).as_str(), 1).as_str(),
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
                task_scope_prefix(first.as_str(), "fetch", 1),
                "b432c0ef80579b53c2d5d3ec752ada409206005978850f143ddedd1efcfbb388",
                1,
                "9cd3f76f9b5bf0abd0b3e61f74ff730c886821221343f63dcce594eeb01c4da8",
            ),
            (
                task_scope_prefix(root1.as_str(), "worker", 1),
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
                task_scope_prefix(callbacks.as_str(), "worker", 1),
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
            assert_eq!(prefix.as_str(), expected);
            assert_eq!(operation_id(prefix.as_str(), position).as_str(), operation);
        }
        assert_eq!(
            callbacks.as_str(),
            "67939a97bd318c9dee0f7d03fff53f0b4e66088344f3d76c4376f7cac99baa24"
        );
    }

    #[test]
    fn ids_that_are_no_digests_have_keys_too() {
        assert_eq!(
            key_of(operation_id("", 7).hex.as_slice()),
            operation_id("", 7).key
        );
        assert_ne!(key_of(b"execution-1"), key_of(b"execution-2"));
        assert_ne!(key_of(&[b'G'; 64]), key_of(&[b'H'; 64]));
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
