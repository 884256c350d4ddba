//! What the codec keeps from one call to the next, for the whole process.

use super::build::Builder;
use durable_core::codec;
use pyo3::ffi::{Py_DecRef, PyObject};
use pyo3::prelude::*;
use std::ops::{Deref, DerefMut};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

/// Buffers that grew beyond this are not kept.
const KEPT_BYTES: usize = 1 << 18;

/// Buffers and caches. Whoever works with them owns them: Python may run in the middle of a call (an allocation may start
/// a finaliser) and come back here, and then finds none and makes its own.
pub(super) struct Buffers {
    pub read: codec::Scratch,
    /// Finished values that wait for their container; each is a reference of our own.
    pub values: Vec<*mut PyObject>,
    pub keys: Cache,
    pub strings: Cache,
    pub text: Vec<u8>,
    pub zone: Option<(i16, Py<pyo3::types::PyTzInfo>)>,
}

/// Strings that were built recently, by the hash of their bytes.
pub(super) struct Cache(Box<[*mut PyObject; Cache::SIZE]>);

impl Cache {
    pub const SIZE: usize = 1024;

    fn new() -> Self {
        Self(Box::new([ptr::null_mut(); Self::SIZE]))
    }

    /// The place for a string, null if it is free. It owns its reference.
    #[inline]
    pub fn place(&mut self, bytes: &[u8]) -> &mut *mut PyObject {
        &mut self.0[hash(bytes) % Self::SIZE]
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        for place in self.0.iter().filter(|place| !place.is_null()) {
            // SAFETY: the place owns this reference, and buffers are dropped by threads attached to the interpreter.
            unsafe { Py_DecRef(*place) };
        }
    }
}

#[inline]
#[allow(clippy::cast_possible_truncation)] // a hash is cut on purpose
fn hash(bytes: &[u8]) -> usize {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let word = |at: usize| {
        bytes
            .get(at..at + 8)
            .and_then(|part| part.try_into().ok())
            .map_or(0, u64::from_le_bytes)
    };
    let size = bytes.len();
    let mixed = if size >= 8 {
        word(0) ^ word(size - 8).rotate_left(29)
    } else if size >= 4 {
        let half = |at: usize| {
            bytes
                .get(at..at + 4)
                .and_then(|part| part.try_into().ok())
                .map_or(0, u32::from_le_bytes)
        };
        u64::from(half(0)) | u64::from(half(size - 4)) << 32
    } else {
        bytes
            .iter()
            .fold(0, |sum, byte| sum << 8 | u64::from(*byte))
    };
    ((mixed ^ size as u64).wrapping_mul(FACTOR) >> 48) as usize
}

static KEPT: AtomicPtr<Buffers> = AtomicPtr::new(ptr::null_mut());

/// The kept buffers, or new ones; they go back when this is dropped.
pub(super) struct Scratch(Option<Box<Buffers>>);

impl Scratch {
    pub fn take() -> Self {
        let kept = KEPT.swap(ptr::null_mut(), Ordering::AcqRel);
        let buffers = if kept.is_null() {
            Box::new(Buffers {
                read: codec::Scratch::default(),
                values: Vec::new(),
                keys: Cache::new(),
                strings: Cache::new(),
                text: Vec::new(),
                zone: None,
            })
        } else {
            // SAFETY: the pointer came from `Box::into_raw` below, and the swap made this the only copy of it.
            unsafe { Box::from_raw(kept) }
        };
        Self(Some(buffers))
    }

    /// A builder, and the buffers of the readers that feed it.
    pub fn open<'py>(&mut self, py: Python<'py>) -> (&mut codec::Scratch, Builder<'py, '_>) {
        let Buffers {
            read,
            values,
            keys,
            strings,
            zone,
            ..
        } = &mut **self;
        (read, Builder::new(py, values, keys, strings, zone))
    }
}

impl Deref for Scratch {
    type Target = Buffers;

    fn deref(&self) -> &Buffers {
        match &self.0 {
            Some(buffers) => buffers,
            None => unreachable!("the buffers leave with the drop only"),
        }
    }
}

impl DerefMut for Scratch {
    fn deref_mut(&mut self) -> &mut Buffers {
        match &mut self.0 {
            Some(buffers) => buffers,
            None => unreachable!("the buffers leave with the drop only"),
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let Some(mut buffers) = self.0.take() else {
            return;
        };
        if buffers.text.capacity() > KEPT_BYTES {
            buffers.text = Vec::new();
        }
        if buffers.values.capacity() > KEPT_BYTES / size_of::<*mut PyObject>() {
            buffers.values = Vec::new();
        }
        let ours = Box::into_raw(buffers);
        if KEPT
            .compare_exchange(ptr::null_mut(), ours, Ordering::AcqRel, Ordering::Relaxed)
            .is_err()
        {
            // SAFETY: the pointer was made a line above and nobody else has seen it.
            drop(unsafe { Box::from_raw(ours) });
        }
    }
}
