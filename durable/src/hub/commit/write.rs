//! What a partition asks the committer to write, and what happens once that is durable.

use crate::hub::custom_status::{StatusSender, WatchReply, Watched};
use crate::hub::error::{ManageError, StartError};
use crate::hub::mail::{
    CallReply, Cancelled, EndReply, Ended, ManageReply, SignalReply, StartReply, StartedReply,
    Unlocked,
};
use crate::hub::telemetry::lifecycle::Notice;
use crate::hub::time::virtual_time::Busy;
use crate::hub::work::job::{Job, JobKey};
use crate::protocol::{
    ExecutionId, FailureDetails, InstanceId, Json, MessageId, PartitionId, TaskMessage,
};
use crate::store::EpisodeWrite;
use crate::weight;

/// What a partition wants written, and what is to happen once it is durable.
#[derive(Debug)]
pub(crate) struct Write {
    pub(crate) partition: PartitionId,
    /// Counts the writes of the partition.
    pub(crate) number: u64,
    pub(crate) content: Content,
    pub(crate) effects: Vec<Effect>,
    /// About how many bytes are written.
    pub(crate) bytes: usize,
    /// Keeps time from passing until the effects have left.
    pub(crate) _busy: Busy,
}

/// What is written at once.
#[derive(Debug, Default)]
pub(crate) struct Content {
    pub(crate) episode: Option<EpisodeWrite>,
    pub(crate) consumed: Vec<MessageId>,
    /// What is sent to other instances.
    pub(crate) messages: Vec<TaskMessage>,
    pub(crate) purged: Vec<InstanceId>,
}

impl Content {
    pub(crate) fn is_empty(&self) -> bool {
        let Self { episode, consumed, messages, purged } = self;
        episode.is_none() && consumed.is_empty() && messages.is_empty() && purged.is_empty()
    }

    /// About how many bytes it has, once it is written.
    pub(crate) fn bytes(&self) -> usize {
        let episode = self.episode.as_ref().map_or(0, |it| weight::of_events(&it.events));
        let messages = self.messages.iter().map(|message| weight::of_event(&message.event));
        episode + messages.sum::<usize>()
    }
}

/// What happens once a write is durable.
#[derive(Debug)]
pub(crate) enum Effect {
    Run(Box<Job>),
    /// The result of this attempt has been taken in.
    TakenIn(JobKey, u32),
    Cancel(JobKey),
    /// Nobody waits for any activity of this execution any more.
    CancelAll(ExecutionId),
    Started(StartReply, Result<(), StartError>),
    Managed(ManageReply, Result<(), ManageError>),
    Begun(StartedReply, bool),
    Ended(EndReply, Option<Box<Ended>>),
    /// Somebody watches the custom status of an instance, if there is one.
    Watching(WatchReply, Option<Watched>),
    /// An instance has said something of its progress, or has ended.
    Said(StatusSender, Option<Json>),
    /// A signal of a client is stored, or carried out.
    Signalled(SignalReply),
    Operated(CallReply, Result<Json, FailureDetails>),
    Unlocked(Unlocked, bool),
    SignalCancelled(Cancelled, bool),
    /// An instance or entity that waited until its writes are durable goes on.
    Continue(InstanceId),
    /// Observers learn what has happened to an instance.
    Notify(Notice),
}
