//! The words of the protocol as small enums: operation types, statuses, actions and subtypes.

/// What an operation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The execution itself.
    Execution,
    /// A scope: child context, map, parallel, branch, wait-for-callback.
    Context,
    /// User code with a recorded result; also the check of a condition.
    Step,
    /// A timer.
    Wait,
    /// Something completed from outside.
    Callback,
    /// Another function.
    ChainedInvoke,
}

/// Where an operation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// Begun.
    Started,
    /// Waits for its next attempt.
    Pending,
    /// May be attempted now.
    Ready,
    /// Ended with a result.
    Succeeded,
    /// Ended with an error.
    Failed,
    /// Ended by a cancellation.
    Cancelled,
    /// Ended by a timeout.
    TimedOut,
    /// Ended by the user's order.
    Stopped,
}

/// What an update asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Begin, or begin another attempt.
    Start,
    /// End with a result.
    Succeed,
    /// End with an error.
    Fail,
    /// End this attempt and ask for another.
    Retry,
    /// Give up waiting.
    Cancel,
}

/// The label that says which construct made the operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SubType {
    /// None recorded.
    Absent,
    /// `Step`
    Step,
    /// `Wait`
    Wait,
    /// `Callback`
    Callback,
    /// `RunInChildContext`
    RunInChildContext,
    /// `Map`
    Map,
    /// `MapIteration`
    MapIteration,
    /// `Parallel`
    Parallel,
    /// `ParallelBranch`
    ParallelBranch,
    /// `WaitForCallback`
    WaitForCallback,
    /// `WaitForCondition`
    WaitForCondition,
    /// `ChainedInvoke`
    ChainedInvoke,
    /// One of the user's own.
    Custom,
}

impl Kind {
    /// All of them, each at the place of its number.
    pub const ALL: [Self; 6] = [
        Self::Execution,
        Self::Context,
        Self::Step,
        Self::Wait,
        Self::Callback,
        Self::ChainedInvoke,
    ];

    /// Read the wire word.
    pub fn parse(word: &[u8]) -> Option<Self> {
        Some(match word {
            b"STEP" => Self::Step,
            b"CONTEXT" => Self::Context,
            b"WAIT" => Self::Wait,
            b"CALLBACK" => Self::Callback,
            b"CHAINED_INVOKE" => Self::ChainedInvoke,
            b"EXECUTION" => Self::Execution,
            _ => return None,
        })
    }
}

impl Status {
    /// All of them, each at the place of its number.
    pub const ALL: [Self; 8] = [
        Self::Started,
        Self::Pending,
        Self::Ready,
        Self::Succeeded,
        Self::Failed,
        Self::Cancelled,
        Self::TimedOut,
        Self::Stopped,
    ];

    /// Read the wire word.
    pub fn parse(word: &[u8]) -> Option<Self> {
        Some(match word {
            b"SUCCEEDED" => Self::Succeeded,
            b"STARTED" => Self::Started,
            b"PENDING" => Self::Pending,
            b"READY" => Self::Ready,
            b"FAILED" => Self::Failed,
            b"CANCELLED" => Self::Cancelled,
            b"TIMED_OUT" => Self::TimedOut,
            b"STOPPED" => Self::Stopped,
            _ => return None,
        })
    }

    /// Whether nothing can change it any more.
    pub fn is_terminal(self) -> bool {
        !matches!(self, Self::Started | Self::Pending | Self::Ready)
    }
}

impl Action {
    /// Read the wire word.
    pub fn parse(word: &[u8]) -> Option<Self> {
        Some(match word {
            b"START" => Self::Start,
            b"SUCCEED" => Self::Succeed,
            b"FAIL" => Self::Fail,
            b"RETRY" => Self::Retry,
            b"CANCEL" => Self::Cancel,
            _ => return None,
        })
    }
}

impl SubType {
    /// All of them, each at the place of its number.
    pub const ALL: [Self; 13] = [
        Self::Absent,
        Self::Step,
        Self::Wait,
        Self::Callback,
        Self::RunInChildContext,
        Self::Map,
        Self::MapIteration,
        Self::Parallel,
        Self::ParallelBranch,
        Self::WaitForCallback,
        Self::WaitForCondition,
        Self::ChainedInvoke,
        Self::Custom,
    ];

    /// Read the wire word; what the SDKs do not write is `Custom`.
    pub fn parse(word: &[u8]) -> Self {
        match word {
            b"" => Self::Absent,
            b"Step" => Self::Step,
            b"Wait" => Self::Wait,
            b"Callback" => Self::Callback,
            b"RunInChildContext" => Self::RunInChildContext,
            b"Map" => Self::Map,
            b"MapIteration" => Self::MapIteration,
            b"Parallel" => Self::Parallel,
            b"ParallelBranch" => Self::ParallelBranch,
            b"WaitForCallback" => Self::WaitForCallback,
            b"WaitForCondition" => Self::WaitForCondition,
            b"ChainedInvoke" => Self::ChainedInvoke,
            _ => Self::Custom,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read() {
        assert_eq!(Kind::parse(b"CHAINED_INVOKE"), Some(Kind::ChainedInvoke));
        assert_eq!(Status::parse(b"TIMED_OUT"), Some(Status::TimedOut));
        assert_eq!(Status::parse(b"SLEEPING"), None);
        assert_eq!(Action::parse(b"RETRY"), Some(Action::Retry));
        assert_eq!(SubType::parse(b"Mine"), SubType::Custom);
    }
}
