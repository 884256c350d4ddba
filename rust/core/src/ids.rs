//! Operation ids: `(prefix, position)` hashed as the official Python SDK hashes it.
//!
//! The raw string is `<prefix>-<position>`, or `<position>` without a prefix; the id is the first 64 hexadecimal
//! characters of its unkeyed 64-byte BLAKE2b digest (which is not BLAKE2b with a 32-byte digest).

use std::fmt::Write as _;

/// Characters of an id.
pub const ID_LENGTH: usize = 64;

/// The id of a raw string.
pub fn hash(raw: &[u8]) -> [u8; ID_LENGTH] {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let digest = blake2b_simd::blake2b(raw);
    let mut id = [0; ID_LENGTH];
    for (pair, byte) in id.chunks_exact_mut(2).zip(digest.as_bytes()) {
        pair[0] = HEX[usize::from(byte >> 4)];
        pair[1] = HEX[usize::from(byte & 15)];
    }
    id
}

/// The id of the operation at `position` under `prefix`; an empty prefix is none.
pub fn operation_id(prefix: &str, position: u64) -> [u8; ID_LENGTH] {
    let mut raw = String::with_capacity(prefix.len() + 21);
    if !prefix.is_empty() {
        raw.push_str(prefix);
        raw.push('-');
    }
    let _ = write!(raw, "{position}");
    hash(raw.as_bytes())
}

/// The prefix of the scope of the `ordinal`-th task of that qualname under `parent_prefix`.
pub fn task_scope_prefix(parent_prefix: &str, qualname: &str, ordinal: u64) -> [u8; ID_LENGTH] {
    hash(format!("{parent_prefix}~{qualname}~{ordinal}").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(id: [u8; ID_LENGTH]) -> String {
        String::from_utf8_lossy(&id).into_owned()
    }

    #[test]
    fn published_vectors() {
        let root1 = text(operation_id("", 1));
        assert_eq!(
            root1,
            "1ced8f5be2db23a6513eba4d819c73806424748a7bc6fa0d792cc1c7d1775a97"
        );
        assert_eq!(
            text(operation_id("", 10)),
            "f2e74cbc3eff574bbc45333c30edb947858543afda4cafdde2903324c9de0bd9"
        );
        assert_eq!(
            text(operation_id(&root1, 1)),
            "974bfc6321e227b0ff101342eaf19b336f002dc6cc99c18f0941a7755cc20fc4"
        );
        let branch0 = text(operation_id(&root1, 0));
        assert_eq!(
            branch0,
            "1712f93e2f51df042e2b933907d75accfe34a48fe4a42a24e0b08131bc72d591"
        );
        assert_eq!(
            text(operation_id(&branch0, 1)),
            "48550629202cb2d0e1bd4f07d826361bbd2defa71565264c01647fc2da0e9b1e"
        );
    }

    #[test]
    fn task_scopes() {
        let scope = text(task_scope_prefix("", "worker", 1));
        assert_eq!(
            scope,
            "7b16a1cbb40e3d895084879853a190ad1ac0cead18cb9dbec1e36c7856318368"
        );
        assert_eq!(
            text(operation_id(&scope, 1)),
            "376194abe323ff4e05a5c50d3bfd42e7465573c63af698db93edd03edb16e5b3"
        );
        assert_eq!(
            text(task_scope_prefix("", "größe", 1)),
            "1b1e7023604f98a1842e0769630fc89b8275453e180ade07cb1ecfcde2d6556c"
        );
    }
}
