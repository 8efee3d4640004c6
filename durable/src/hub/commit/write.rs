//! A write of a partition, and the effects that follow once it is durable.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tokio::sync::watch;

use crate::engine::AttemptId;
use crate::hub::custom_status::{StatusSender, WatchReply, Watched};
use crate::hub::error::{ManageError, StartError};
use crate::hub::mail::{
    CallReply, Cancelled, EndReply, Ended, EntityResumed, FollowReply, ManageReply, PendingReply,
    SignalReply, StartReply, StartedReply, Unlocked,
};
use crate::hub::ownership::Ownership;
use crate::hub::reply_to::{Encode, ReplyTo};
use crate::hub::telemetry::lifecycle::Notice;
use crate::hub::time::virtual_time::Busy;
use crate::hub::work::job::{Job, JobKey};
use crate::protocol::{
    ExecutionId, FailureDetails, InstanceId, Json, MessageId, Pending, TaskMessage,
};
use crate::store::{EpisodeWrite, ReceivedMessage, RequestId};
use crate::weight;

/// The number of a write that is not made in a turn of its partition.
pub(super) const UNNUMBERED: u64 = 0;

/// A write of a partition, and the effects that follow once it is durable.
#[derive(Debug)]
pub(crate) struct Write {
    /// The partition, as its owner.
    pub(crate) owner: Arc<Ownership>,
    /// The number of this write of the owner, from 1.
    pub(crate) number: u64,
    pub(crate) content: Content,
    pub(crate) effects: Vec<Effect>,
    /// Approximate size, in bytes.
    pub(crate) bytes: usize,
    /// Keeps virtual time from passing until the effects are taken.
    pub(crate) _busy: Busy,
}

impl Write {
    /// A write that no turn of the partition makes, so it has no number.
    pub(crate) fn between_nodes(
        owner: Arc<Ownership>,
        content: Content,
        effects: Vec<Effect>,
    ) -> Self {
        let bytes = content.bytes();
        Self { owner, number: UNNUMBERED, content, effects, bytes, _busy: Busy::default() }
    }
}

/// The content of a write, which becomes durable atomically.
#[derive(Debug, Default)]
pub(crate) struct Content {
    pub(crate) episode: Option<EpisodeWrite>,
    pub(crate) consumed: Vec<MessageId>,
    /// Messages to other instances.
    pub(crate) messages: Vec<TaskMessage>,
    pub(crate) purged: Vec<InstanceId>,
    /// Messages from other nodes to this partition.
    pub(crate) received: Vec<ReceivedMessage>,
    /// Requests that are among the messages.
    pub(crate) taken: Vec<RequestId>,
}

impl Content {
    pub(crate) fn is_empty(&self) -> bool {
        let Self { episode, consumed, messages, purged, received, taken } = self;
        episode.is_none()
            && consumed.is_empty()
            && messages.is_empty()
            && purged.is_empty()
            && received.is_empty()
            && taken.is_empty()
    }

    /// Approximate size when it is written, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let episode = self.episode.as_ref().map_or(0, |it| weight::of_events(&it.events));
        let received = self.received.iter().map(|received| &received.message);
        let messages = self.messages.iter().chain(received);
        let messages = messages.map(|message| weight::of_event(&message.event));
        episode + messages.sum::<usize>()
    }
}

/// An effect that follows once a write is durable.
#[derive(Debug)]
pub(crate) enum Effect {
    Run(Arc<Job>),
    /// The result of this attempt has been received.
    TakenIn(JobKey, AttemptId),
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
    EntityResumed(EntityResumed, bool),
    Unlocked(Unlocked, bool),
    SignalCancelled(Cancelled, bool),
    /// A request of another node that cannot be read, and its answer.
    Refused(RequestId, String),
    /// Continues with an instance or entity that waited for this write.
    Continue(InstanceId),
    /// Notifies observers of a change of an instance.
    Notify(Notice),
    /// A partition has ended, and all that it wrote is committed.
    Left(Arc<AtomicBool>),
}

impl Effect {
    /// Whether it is the reply to a request of a client.
    pub(super) fn is_reply(&self) -> bool {
        match self {
            Self::Started(..)
            | Self::Managed(..)
            | Self::Begun(..)
            | Self::Ended(..)
            | Self::Watching(..)
            | Self::Pending(..)
            | Self::Following(..)
            | Self::Signalled(_)
            | Self::Operated(..)
            | Self::EntityResumed(..)
            | Self::Unlocked(..)
            | Self::SignalCancelled(..)
            | Self::Refused(..) => true,
            Self::Run(_)
            | Self::TakenIn(..)
            | Self::Cancel(_)
            | Self::CancelAll(_)
            | Self::Said(..)
            | Self::Recorded(_)
            | Self::Continue(_)
            | Self::Notify(_)
            | Self::Left(..) => false,
        }
    }

    /// The answer to the request of another node, if it is one.
    pub(super) fn answer(&self) -> Option<(RequestId, String)> {
        match self {
            Self::Started(reply, started) => answer(reply, started),
            Self::Managed(reply, managed) => answer(reply, managed),
            Self::Begun(reply, exists) => answer(reply, exists),
            Self::Ended(reply, end) => answer(reply, end),
            Self::Pending(reply, pending) => answer(reply, pending),
            Self::Signalled(reply) => answer(reply, &()),
            Self::Operated(reply, outcome) => answer(reply, outcome),
            Self::EntityResumed(reply, was_held) => answer(reply, was_held),
            Self::Unlocked(reply, was_locked) => answer(reply, was_locked),
            Self::SignalCancelled(reply, was_waiting) => answer(reply, was_waiting),
            Self::Refused(request, answer) => Some((*request, answer.clone())),
            Self::Run(_)
            | Self::TakenIn(..)
            | Self::Cancel(_)
            | Self::CancelAll(_)
            | Self::Watching(..)
            | Self::Said(..)
            | Self::Following(..)
            | Self::Recorded(_)
            | Self::Continue(_)
            | Self::Notify(_)
            | Self::Left(..) => None,
        }
    }
}

fn answer<T: Encode>(reply: &ReplyTo<T>, answer: &T) -> Option<(RequestId, String)> {
    reply.request().map(|request| (request, answer.encode()))
}
