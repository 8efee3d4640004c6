//! What a simulation has met: each kind of mail, effect and event is a mark.

use super::commit::write::Effect;
use super::mail::{Mail, Manage};
use crate::protocol::EventKind;

/// Marks the kind of a piece of mail that a partition takes in.
pub(super) fn mail(mail: &Mail) {
    match mail {
        Mail::Start(_) => mark!("mail: Start"),
        Mail::TaskEnded { .. } => mark!("mail: TaskEnded"),
        Mail::Message(_) => mark!("mail: Message"),
        Mail::Raise { .. } => mark!("mail: Raise"),
        Mail::Manage { what, .. } => manage(what),
        Mail::Wait { .. } => mark!("mail: Wait"),
        Mail::WaitForStart { .. } => mark!("mail: WaitForStart"),
        Mail::WatchStatus { .. } => mark!("mail: WatchStatus"),
        Mail::Pending { .. } => mark!("mail: Pending"),
        Mail::Follow { .. } => mark!("mail: Follow"),
        Mail::Operate { .. } => mark!("mail: Operate"),
        Mail::CancelSignal { .. } => mark!("mail: CancelSignal"),
        Mail::BatchEnded { .. } => mark!("mail: BatchEnded"),
        Mail::Continue(_) => mark!("mail: Continue"),
        Mail::ResumeEntity { .. } => mark!("mail: ResumeEntity"),
        Mail::TakeBackLock { .. } => mark!("mail: TakeBackLock"),
        Mail::Wake => mark!("mail: Wake"),
        Mail::Release(_) => mark!("mail: Release"),
        Mail::Stop => mark!("mail: Stop"),
        Mail::Lost => mark!("mail: Lost"),
    }
}

fn manage(what: &Manage) {
    match what {
        Manage::Suspend { .. } => mark!("mail: Suspend"),
        Manage::Resume { .. } => mark!("mail: Resume"),
        Manage::Terminate { .. } => mark!("mail: Terminate"),
        Manage::Rewind { .. } => mark!("mail: Rewind"),
        Manage::Remove { .. } => mark!("mail: Remove"),
        Manage::Purge { .. } => mark!("mail: Purge"),
    }
}

/// Marks the kind of an effect that leaves after a commit.
pub(super) fn effect(effect: &Effect) {
    match effect {
        Effect::Run(..) => mark!("effect: Run"),
        Effect::TakenIn(..) => mark!("effect: TakenIn"),
        Effect::Cancel(..) => mark!("effect: Cancel"),
        Effect::CancelAll(..) => mark!("effect: CancelAll"),
        Effect::Started(..) => mark!("effect: Started"),
        Effect::Managed(..) => mark!("effect: Managed"),
        Effect::Begun(..) => mark!("effect: Begun"),
        Effect::Ended(..) => mark!("effect: Ended"),
        Effect::Watching(..) => mark!("effect: Watching"),
        Effect::Said(..) => mark!("effect: Said"),
        Effect::Pending(..) => mark!("effect: Pending"),
        Effect::Following(..) => mark!("effect: Following"),
        Effect::Recorded(..) => mark!("effect: Recorded"),
        Effect::Signalled(..) => mark!("effect: Signalled"),
        Effect::Operated(..) => mark!("effect: Operated"),
        Effect::EntityResumed(..) => mark!("effect: EntityResumed"),
        Effect::Unlocked(..) => mark!("effect: Unlocked"),
        Effect::SignalCancelled(..) => mark!("effect: SignalCancelled"),
        Effect::Refused(..) => mark!("effect: Refused"),
        Effect::Continue(..) => mark!("effect: Continue"),
        Effect::Notify(..) => mark!("effect: Notify"),
        Effect::Left(..) => mark!("effect: Left"),
    }
}

/// Marks the kind of an event that is recorded.
pub(crate) fn event(kind: &EventKind) {
    match kind {
        EventKind::ExecutionStarted(_) => mark!("event: ExecutionStarted"),
        EventKind::ExecutionCompleted { .. } => mark!("event: ExecutionCompleted"),
        EventKind::ExecutionTerminated { .. } => mark!("event: ExecutionTerminated"),
        EventKind::ExecutionSuspended { .. } => mark!("event: ExecutionSuspended"),
        EventKind::ExecutionResumed { .. } => mark!("event: ExecutionResumed"),
        EventKind::ExecutionRewound { .. } => mark!("event: ExecutionRewound"),
        EventKind::TaskScheduled { .. } => mark!("event: TaskScheduled"),
        EventKind::TaskCompleted { .. } => mark!("event: TaskCompleted"),
        EventKind::TaskFailed { .. } => mark!("event: TaskFailed"),
        EventKind::TaskAttemptFailed { .. } => mark!("event: TaskAttemptFailed"),
        EventKind::SubOrchestrationInstanceCreated { .. } => {
            mark!("event: SubOrchestrationInstanceCreated");
        }
        EventKind::SubOrchestrationInstanceCompleted { .. } => {
            mark!("event: SubOrchestrationInstanceCompleted");
        }
        EventKind::SubOrchestrationInstanceFailed { .. } => {
            mark!("event: SubOrchestrationInstanceFailed");
        }
        EventKind::TimerCreated { .. } => mark!("event: TimerCreated"),
        EventKind::TimerFired { .. } => mark!("event: TimerFired"),
        EventKind::EventSent { .. } => mark!("event: EventSent"),
        EventKind::EventRaised { .. } => mark!("event: EventRaised"),
        EventKind::GenericEvent { .. } => mark!("event: GenericEvent"),
        EventKind::EntityOperationCalled { .. } => mark!("event: EntityOperationCalled"),
        EventKind::EntityOperationSignaled { .. } => mark!("event: EntityOperationSignaled"),
        EventKind::EntityOperationCompleted { .. } => mark!("event: EntityOperationCompleted"),
        EventKind::EntityOperationFailed { .. } => mark!("event: EntityOperationFailed"),
        EventKind::EntityLockRequested { .. } => mark!("event: EntityLockRequested"),
        EventKind::EntityLockGranted { .. } => mark!("event: EntityLockGranted"),
        EventKind::EntityUnlockSent { .. } => mark!("event: EntityUnlockSent"),
        EventKind::EntityState(_) => mark!("event: EntityState"),
        EventKind::OrchestratorStarted => mark!("event: OrchestratorStarted"),
        EventKind::OrchestratorCompleted => mark!("event: OrchestratorCompleted"),
    }
}
