//! What the index knows of an operation without looking into its source.

use crate::status::{Kind, Status, SubType};

/// What replay asks of an operation before it reads anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// What it is.
    pub kind: Kind,
    /// Where it stands.
    pub status: Status,
    /// Which construct made it.
    pub sub_type: SubType,
    /// Its result is to be made again from its children.
    pub replay_children: bool,
    /// It was recorded in a form that only the complete reader understands.
    pub irregular: bool,
}

impl Facts {
    /// Whether the service will have news of it by itself: a timer, somebody outside, another function.
    pub fn is_pending(self) -> bool {
        match self.kind {
            Kind::Step => self.status == Status::Pending,
            Kind::Wait | Kind::Callback | Kind::ChainedInvoke => self.status == Status::Started,
            Kind::Execution | Kind::Context => false,
        }
    }
}

/// Facts in two bytes, as the index keeps them: equal where the facts are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PackedFacts(u16);

const STATUS_AT: u32 = 3;
const SUB_TYPE_AT: u32 = 6;
const REPLAY_CHILDREN_AT: u32 = 10;
const IRREGULAR_AT: u32 = 11;

impl PackedFacts {
    /// Pack.
    pub const fn new(facts: Facts) -> Self {
        Self(
            facts.kind as u16
                | (facts.status as u16) << STATUS_AT
                | (facts.sub_type as u16) << SUB_TYPE_AT
                | (facts.replay_children as u16) << REPLAY_CHILDREN_AT
                | (facts.irregular as u16) << IRREGULAR_AT,
        )
    }

    /// What was packed.
    pub fn facts(self) -> Facts {
        let bits = |at: u32, count: u32| usize::from(self.0 >> at & ((1 << count) - 1));
        Facts {
            kind: Kind::ALL[bits(0, STATUS_AT)],
            status: self.status(),
            sub_type: SubType::ALL[bits(SUB_TYPE_AT, REPLAY_CHILDREN_AT - SUB_TYPE_AT)],
            replay_children: bits(REPLAY_CHILDREN_AT, 1) == 1,
            irregular: bits(IRREGULAR_AT, 1) == 1,
        }
    }

    /// Where the operation stands.
    #[inline]
    pub fn status(self) -> Status {
        Status::ALL[usize::from(self.0 >> STATUS_AT & 7)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_combination_is_packed_into_bits_of_its_own() {
        let mut seen = std::collections::HashSet::new();
        for kind in Kind::ALL {
            for status in Status::ALL {
                for sub_type in SubType::ALL {
                    for flags in 0..4 {
                        let facts = Facts {
                            kind,
                            status,
                            sub_type,
                            replay_children: flags & 1 != 0,
                            irregular: flags & 2 != 0,
                        };
                        let packed = PackedFacts::new(facts);
                        assert_eq!(packed.facts(), facts);
                        assert_eq!(packed.status(), status);
                        assert!(seen.insert(packed.0));
                    }
                }
            }
        }
    }
}
