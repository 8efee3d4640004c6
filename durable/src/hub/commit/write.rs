//! A write of a partition, and the effects that follow once it is durable.

use tokio::sync::watch;

use crate::hub::custom_status::{StatusSender, WatchReply, Watched};
use crate::hub::error::{ManageError, StartError};
use crate::hub::mail::{
    CallReply, Cancelled, EndReply, Ended, FollowReply, ManageReply, PendingReply, SignalReply,
    StartReply, StartedReply, Unlocked,
};
use crate::hub::telemetry::lifecycle::Notice;
use crate::hub::time::virtual_time::Busy;
use crate::hub::work::job::{Job, JobKey};
use crate::protocol::{
    ExecutionId, FailureDetails, InstanceId, Json, MessageId, PartitionId, Pending, TaskMessage,
};
use crate::store::EpisodeWrite;
use crate::weight;

/// A write of a partition, and the effects that follow once it is durable.
#[derive(Debug)]
pub(crate) struct Write {
    pub(crate) partition: PartitionId,
    /// The number of this write of the partition, from 1.
    pub(crate) number: u64,
    pub(crate) content: Content,
    pub(crate) effects: Vec<Effect>,
    /// Approximate size, in bytes.
    pub(crate) bytes: usize,
    /// Keeps virtual time from passing until the effects are taken.
    pub(crate) _busy: Busy,
}

/// The content of a write, which becomes durable atomically.
#[derive(Debug, Default)]
pub(crate) struct Content {
    pub(crate) episode: Option<EpisodeWrite>,
    pub(crate) consumed: Vec<MessageId>,
    /// Messages to other instances.
    pub(crate) messages: Vec<TaskMessage>,
    pub(crate) purged: Vec<InstanceId>,
}

impl Content {
    pub(crate) fn is_empty(&self) -> bool {
        let Self { episode, consumed, messages, purged } = self;
        episode.is_none() && consumed.is_empty() && messages.is_empty() && purged.is_empty()
    }

    /// Approximate size when it is written, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let episode = self.episode.as_ref().map_or(0, |it| weight::of_events(&it.events));
        let messages = self.messages.iter().map(|message| weight::of_event(&message.event));
        episode + messages.sum::<usize>()
    }
}

/// An effect that follows once a write is durable.
#[derive(Debug)]
pub(crate) enum Effect {
    Run(Box<Job>),
    /// The result of this attempt has been received.
    TakenIn(JobKey, u32),
    Cancel(JobKey),
    /// The results of this execution's activities are no longer needed.
    CancelAll(ExecutionId),
    Started(StartReply, Result<(), StartError>),
    Managed(ManageReply, Result<(), ManageError>),
    Begun(StartedReply, bool),
    Ended(EndReply, Option<Box<Ended>>),
    /// A client watches the custom status of an instance, if the instance exists.
    Watching(WatchReply, Option<Watched>),
    /// The custom status of an instance has changed, or the instance has ended (`None`).
    Said(StatusSender, Option<Json>),
    /// What an instance waits for, if the instance exists.
    Pending(PendingReply, Option<Box<Pending>>),
    /// A client follows the history of an instance, if the instance exists.
    Following(FollowReply, Option<watch::Receiver<()>>),
    /// An episode of an instance whose history is followed is durable.
    Recorded(watch::Sender<()>),
    /// A signal of a client is stored or was carried out.
    Signalled(SignalReply),
    Operated(CallReply, Result<Json, FailureDetails>),
    Unlocked(Unlocked, bool),
    SignalCancelled(Cancelled, bool),
    /// Continues with an instance or entity that waited for this write.
    Continue(InstanceId),
    /// Notifies observers of a change of an instance.
    Notify(Notice),
}
