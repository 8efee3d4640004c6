//! Stores with one fault each, built around a correct store.

mod messages;
mod past;
mod queries;

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use self::past::Past;
use super::super::StoreUnderTest;
use crate::protocol::{
    EventKind, ExecutionId, HistoryEvent, HubRecord, InstanceId, InstanceRecord, Json, MessageId,
    PartitionId, TaskMessage, Timestamp,
};
use crate::store::{
    Commit, Creation, CreationOrder, Epoch, InstanceFilter, InstancePage, MemoryStore,
    PartitionState, Store, StoreError,
};

macro_rules! faults {
    ($($point:ident: $($fault:ident)*;)*) => {
        /// The fault of a store.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Fault { None, $($($fault),*),* }

        impl Fault {
            /// Every fault, with the name of the point that it breaks.
            pub(super) const ALL: &[(Fault, &str)] = &[
                $($((Fault::$fault, stringify!($point)),)*)*
            ];
        }
    };
}

faults! {
    a_hub_is_created_once: CreatesAnew CreatesAnewAfterACrash;
    a_commit_is_all_or_nothing: StopsHalfway SendsFirst ShowsHalf;
    an_acknowledged_commit_survives: LosesTheLastCommit;
    a_fenced_owner_commits_nothing: NeverFences FencesByTheFirst ClaimsInVain EpochsBeginAnew;
    a_partition_is_touched_by_its_owner_only: OwnsAll ConsumesAnywhere PurgesAnywhere;
    history_is_kept_in_order: Reverses IgnoresFrom MixesExecutions FindsByPrefix;
    history_is_appended_at_its_end: FillsGaps ReplacesExecutions;
    large_values_come_back_whole: CutsLargeValues StopsBehindLargeValues;
    messages_keep_their_order: SortsMessages NewestFirst PositionsBeginAnew;
    a_message_stays_until_it_is_consumed: NeverConsumes ConsumesByReading LosesConsumption;
    active_instances_are_found: NamesAll NamesByStatus NamesWhoeverWasActive;
    the_store_makes_nothing_up: CutsTimes DatesByItself RoundsHashes DropsNulls WritesJsonAnew;
    partitions_do_not_see_each_other: MixesPartitions CutsPartitions MixesDues;
    due_instances_are_found: DuesById DuesBeforeOnly DuesOfAfterAgain DuesSkipEqualTimes
        DuesUnsigned DuesUnlimited KeepsOldDues DuesOfFirstEpisodes
        MovesDuesOneByOne;
    a_replaced_history_is_gone: KeepsReplaced KeepsReplacedOfTheCommit KeepsTails ReplacesAll
        ReplacesInTwoSteps;
    a_purged_instance_is_gone: KeepsPurgedRecords KeepsPurgedHistories KeepsOtherHistories
        KeepsPurgedDues KeepsPurgedActive PurgesMessages PurgesByPrefix PurgesAndWrites
        RefusesToPurgeNobody;
    instances_are_found_by_page: PagesRepeat PagesSkip PagesEndEarly PagesUnlimited PagesUnsorted
        PagesOfOneFilter PagesOfWholeIds PagesFromThePrefix PagesOfEverything PagesOfNoEntities;
    messages_are_found_by_page: GivesThoseToAll GivesThoseToAlike GivesFromTheStart
        GivesToTheEnd GivesBehindTheEnd GivesMore GivesTheLast GivesNewestFirst GivesConsumed
        LimitsBeforeItLooks CountsFromTheFirst CountsAnewAfterACrash EndsBeforeTheLast EndsBehindAll;
    history_is_found_by_page: CutsNoStart CutsNoEnd IncludesTheEnd;
    a_page_scans_no_more_than_it_may: ScansUnlimited EndsWithTheScan SkipsWhatIsNotScanned;
    instances_are_found_by_creation: CreatedById CreatedOldestFirst CreatedSkipsEqualTimes;
}

/// Where a faulty store keeps its content.
#[derive(Debug)]
pub(super) struct Place {
    fault: Fault,
    kept: Arc<Mutex<Kept>>,
}

/// The state that survives a crash.
#[derive(Debug, Default)]
struct Kept {
    right: Arc<MemoryStore>,
    epochs: BTreeMap<PartitionId, Epoch>,
    executions: BTreeSet<(InstanceId, ExecutionId)>,
    sent: BTreeMap<MessageId, PartitionId>,
    past: Past,
    done: Vec<Done>,
}

/// A recorded operation, so that it can be repeated with a part left out.
#[derive(Debug)]
enum Done {
    Create(HubRecord),
    Claim(PartitionId),
    Commit(Commit),
}

impl Place {
    pub(super) fn of(fault: Fault) -> Self {
        Self { fault, kept: Arc::default() }
    }
}

impl StoreUnderTest for Place {
    fn open(&self) -> Arc<dyn Store> {
        if let Fault::LosesTheLastCommit | Fault::LosesConsumption = self.fault {
            self.kept.lock().unwrap().lose(self.fault);
        }
        let (fault, kept) = (self.fault, Arc::clone(&self.kept));
        let (life, looks, reads) = (Mutex::default(), AtomicU64::new(0), AtomicU64::new(0));
        Arc::new(Faulty { fault, kept, life, looks, reads })
    }
}

impl Kept {
    fn lose(&mut self, fault: Fault) {
        let is_commit = |done: &Done| matches!(done, Done::Commit(_));
        let last = self.done.iter().rposition(is_commit);
        if let Some(last) = last.filter(|_| fault == Fault::LosesTheLastCommit) {
            self.done.remove(last);
        }
        self.right = Arc::default();
        for done in &self.done {
            match done {
                Done::Create(hub) => drop(self.right.create(hub).unwrap()),
                Done::Claim(partition) => drop(self.right.claim(*partition).unwrap()),
                Done::Commit(commit) => {
                    let mut commit = commit.clone();
                    if fault == Fault::LosesConsumption {
                        commit.consumed.clear();
                    }
                    self.right.commit(&commit).unwrap();
                }
            }
        }
    }

    fn bend_active(&self, fault: Fault, partition: PartitionId, active: &mut Vec<InstanceId>) {
        match fault {
            Fault::NamesAll => {
                let ids: BTreeSet<_> = self.executions.iter().map(|(id, _)| id.clone()).collect();
                *active = ids.into_iter().collect();
            }
            Fault::NamesByStatus => {
                let page = self.right.instances(&InstanceFilter::default(), None, usize::MAX);
                let runs = page.unwrap().instances.into_iter().filter(|record| {
                    self.past.partition(&record.instance_id) == partition
                        && !record.runtime_status.is_finished()
                });
                *active = runs.map(|record| record.instance_id).collect();
            }
            Fault::NamesWhoeverWasActive => *active = self.past.ever_active(partition),
            Fault::KeepsPurgedActive => *active = self.past.active(partition),
            _ => {}
        }
    }

    fn owner(&self, partition: PartitionId) -> (PartitionId, Epoch) {
        (partition, self.epochs.get(&partition).copied().unwrap_or(Epoch(0)))
    }
}

/// A partition that the commit touches and does not own.
fn unowned(commit: &Commit) -> Option<PartitionId> {
    let episodes = commit.episodes.iter().map(|episode| episode.partition);
    let purged = commit.purged.iter().map(|(partition, _)| *partition);
    let consumed = commit.consumed.iter().map(|(partition, _)| *partition);
    let mut touched = episodes.chain(purged).chain(consumed);
    touched.find(|touched| commit.owners.iter().all(|(owned, _)| owned != touched))
}

#[derive(Debug)]
struct Faulty {
    fault: Fault,
    kept: Arc<Mutex<Kept>>,
    life: Mutex<Life>,
    looks: AtomicU64,
    reads: AtomicU64,
}

/// The state that a crash loses.
#[derive(Debug, Default)]
struct Life {
    hub: Option<HubRecord>,
    claims: BTreeMap<PartitionId, u64>,
    sent: BTreeSet<MessageId>,
    read: BTreeSet<MessageId>,
    /// The first place seen in each partition.
    first_places: BTreeMap<PartitionId, u64>,
}

impl Faulty {
    fn right(&self) -> Arc<MemoryStore> {
        Arc::clone(&self.kept.lock().unwrap().right)
    }

    /// Changes the owners that the correct store receives.
    fn bend_owners(&self, commit: &mut Commit) -> Result<(), StoreError> {
        let kept = self.kept.lock().unwrap();
        let life = self.life.lock().unwrap();
        match self.fault {
            Fault::NeverFences => {
                for owner in &mut commit.owners {
                    *owner = kept.owner(owner.0);
                }
            }
            Fault::FencesByTheFirst => {
                for owner in commit.owners.iter_mut().skip(1) {
                    *owner = kept.owner(owner.0);
                }
            }
            Fault::EpochsBeginAnew => {
                for owner in &mut commit.owners {
                    let in_life = life.claims.get(&owner.0);
                    if in_life.is_some_and(|claims| *claims != owner.1.0) {
                        return Err(StoreError::fenced([owner.0]));
                    }
                    *owner = kept.owner(owner.0);
                }
            }
            Fault::OwnsAll => {
                while let Some(partition) = unowned(commit) {
                    if !kept.epochs.contains_key(&partition) {
                        break;
                    }
                    commit.owners.push(kept.owner(partition));
                }
            }
            Fault::PurgesAnywhere => {
                let partitions = commit.purged.iter().map(|(partition, _)| *partition);
                let added: BTreeSet<_> = partitions.collect();
                commit.owners.retain(|(owned, _)| !added.contains(owned));
                commit.owners.extend(added.into_iter().map(|partition| kept.owner(partition)));
            }
            Fault::ConsumesAnywhere if unowned(commit).is_none() => {
                for (partition, id) in &mut commit.consumed {
                    *partition = kept.sent.get(id).copied().unwrap_or(*partition);
                }
                while let Some(partition) = unowned(commit) {
                    commit.owners.push(kept.owner(partition));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn bend_content(&self, commit: &mut Commit) {
        for episode in &mut commit.episodes {
            if self.fault == Fault::DatesByItself {
                episode.record.last_updated_at = Timestamp::from_micros(0).unwrap();
            }
            for event in &mut episode.events {
                if self.fault == Fault::CutsTimes {
                    let millis = event.timestamp.to_datetime().timestamp_millis();
                    event.timestamp = Timestamp::from_micros(millis * 1_000).unwrap();
                }
                self.bend_event(&mut event.kind);
            }
        }
        for (partition, message) in &mut commit.messages {
            if self.fault == Fault::CutsPartitions {
                partition.0 &= 0xff;
            }
            self.bend_event(&mut message.event);
        }
        if self.fault == Fault::NeverConsumes {
            commit.consumed.clear();
        }
    }

    fn bend_event(&self, kind: &mut EventKind) {
        match (self.fault, kind) {
            (Fault::RoundsHashes, EventKind::ExecutionStarted(started)) => {
                started.code_hash = started.code_hash.map(|hash| hash & !0x7ff);
            }
            (Fault::DropsNulls, EventKind::ExecutionCompleted { result, .. }) => {
                *result = result.take().filter(|result| *result != Json::null());
            }
            (Fault::WritesJsonAnew, EventKind::TaskScheduled { input, .. }) => {
                let value = serde_json::from_str::<serde_json::Value>(input.as_str());
                *input = value.map_or(input.clone(), |value| Json::trusted(value.to_string()));
            }
            (Fault::CutsLargeValues, EventKind::TaskCompleted { result, .. })
                if result.as_str().len() > 16 << 20 =>
            {
                *result = Json::null();
            }
            _ => {}
        }
    }

    /// Commits one part after the other.
    fn commit_in_parts(&self, commit: &Commit) -> Result<(), StoreError> {
        let owners = commit.owners.clone();
        let part = || Commit { owners: owners.clone(), ..Commit::default() };
        let right = self.right();
        let messages = Commit { messages: commit.messages.clone(), ..part() };
        if self.fault == Fault::SendsFirst {
            right.commit(&messages)?;
        }
        let (purged, consumed) = (commit.purged.clone(), commit.consumed.clone());
        right.commit(&Commit { purged, consumed, ..part() })?;
        if self.fault == Fault::ShowsHalf {
            // A reader is active: waits for its next read.
            let before = self.looks.load(Ordering::Acquire);
            let looked = || self.looks.load(Ordering::Acquire) > before + 2;
            (0..1_000_000).take_while(|_| !looked()).for_each(|_| thread::yield_now());
        }
        for episode in &commit.episodes {
            right.commit(&Commit { episodes: vec![episode.clone()], ..part() })?;
        }
        if self.fault != Fault::SendsFirst {
            right.commit(&messages)?;
        }
        Ok(())
    }

    fn accepts(&self, commit: &Commit, error: &StoreError) -> bool {
        match (self.fault, error) {
            (Fault::FillsGaps, StoreError::OutOfOrder { found, expected, .. }) => found < expected,
            (Fault::ReplacesExecutions, StoreError::OutOfOrder { expected: 0, instance, .. }) => {
                let present = self.right().instance(instance).unwrap();
                let present = present.map(|record| record.execution_id);
                present != commit.episodes.first().map(|episode| episode.record.execution_id)
            }
            _ => false,
        }
    }
}

impl Store for Faulty {
    fn create(&self, hub: &HubRecord) -> Result<HubRecord, StoreError> {
        self.kept.lock().unwrap().done.push(Done::Create(hub.clone()));
        let mut life = self.life.lock().unwrap();
        let in_life = life.hub.get_or_insert_with(|| hub.clone()).clone();
        match self.fault {
            Fault::CreatesAnew => Ok(hub.clone()),
            Fault::CreatesAnewAfterACrash => Ok(in_life),
            _ => self.right().create(hub),
        }
    }

    fn claim(&self, partition: PartitionId) -> Result<Epoch, StoreError> {
        let mut kept = self.kept.lock().unwrap();
        if let (Fault::ClaimsInVain, Some(epoch)) = (self.fault, kept.epochs.get(&partition)) {
            return Ok(*epoch);
        }
        kept.done.push(Done::Claim(partition));
        let epoch = kept.right.claim(partition)?;
        kept.epochs.insert(partition, epoch);
        let mut life = self.life.lock().unwrap();
        let claims = life.claims.entry(partition).or_default();
        *claims += 1;
        Ok(if self.fault == Fault::EpochsBeginAnew { Epoch(*claims) } else { epoch })
    }

    fn load(&self, partition: PartitionId) -> Result<PartitionState, StoreError> {
        let kept = self.kept.lock().unwrap();
        let mut state = kept.right.load(partition)?;
        kept.bend_active(self.fault, partition, &mut state.active);
        match self.fault {
            Fault::EndsBeforeTheLast => state.messages_end = state.messages_end.saturating_sub(1),
            Fault::EndsBehindAll => state.messages_end = u64::MAX,
            _ => {}
        }
        Ok(state)
    }

    fn messages(
        &self,
        partition: PartitionId,
        to: Option<&InstanceId>,
        positions: Range<u64>,
        limit: usize,
    ) -> Result<Vec<(u64, TaskMessage)>, StoreError> {
        self.looks.fetch_add(1, Ordering::AcqRel);
        self.bent_messages(partition, to, positions, limit)
    }

    fn commit(&self, commit: &Commit) -> Result<(), StoreError> {
        let mut bent = commit.clone();
        self.bend_owners(&mut bent)?;
        self.bend_content(&mut bent);
        self.bend_past(&mut bent)?;
        let watched = bent.episodes.len() == 1 && bent.consumed.len() == 1;
        let done = match self.fault {
            Fault::StopsHalfway | Fault::SendsFirst => self.commit_in_parts(&bent),
            Fault::ReplacesInTwoSteps => self.replace_in_two_steps(&bent),
            Fault::MovesDuesOneByOne if bent.episodes.len() == 100 => self.commit_in_parts(&bent),
            Fault::ShowsHalf if watched => self.commit_in_parts(&bent),
            _ => self.right().commit(&bent),
        };
        match done {
            Err(error) if self.accepts(&bent, &error) => Ok(()),
            Err(error) => Err(error),
            Ok(()) => {
                let mut kept = self.kept.lock().unwrap();
                let mut life = self.life.lock().unwrap();
                for episode in &bent.episodes {
                    let record = &episode.record;
                    kept.executions.insert((record.instance_id.clone(), record.execution_id));
                }
                for (partition, message) in &bent.messages {
                    kept.sent.insert(message.id, *partition);
                    life.sent.insert(message.id);
                }
                kept.past.commit(&bent);
                kept.done.push(Done::Commit(bent));
                Ok(())
            }
        }
    }

    fn instance(&self, instance: &InstanceId) -> Result<Option<InstanceRecord>, StoreError> {
        let record = self.right().instance(instance)?;
        if self.fault == Fault::KeepsPurgedRecords {
            return Ok(record.or_else(|| self.kept.lock().unwrap().past.record(instance)));
        }
        Ok(record)
    }

    fn due(
        &self,
        partition: PartitionId,
        after: Option<&(Timestamp, InstanceId)>,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<(Timestamp, InstanceId)>, StoreError> {
        self.bent_due(partition, after, until, limit)
    }

    fn instances(
        &self,
        filter: &InstanceFilter,
        after: Option<&InstanceId>,
        limit: usize,
    ) -> Result<InstancePage, StoreError> {
        self.bent_page(filter, after, limit)
    }

    fn instances_by_creation(
        &self,
        filter: &InstanceFilter,
        order: CreationOrder,
        after: Option<&Creation>,
        limit: usize,
    ) -> Result<InstancePage<Creation>, StoreError> {
        self.bent_creations(filter, order, after, limit)
    }

    fn history_page(
        &self,
        id: &InstanceId,
        execution: ExecutionId,
        indices: Range<u64>,
    ) -> Result<Vec<HistoryEvent>, StoreError> {
        self.bent_history_page(id, execution, indices)
    }

    fn history(
        &self,
        instance: &InstanceId,
        execution: ExecutionId,
        from: u64,
    ) -> Result<Vec<HistoryEvent>, StoreError> {
        let right = self.right();
        self.reads.fetch_add(1, Ordering::AcqRel);
        let mut events = right.history(instance, execution, from)?;
        match self.fault {
            Fault::Reverses => events.reverse(),
            Fault::IgnoresFrom => events = right.history(instance, execution, 0)?,
            Fault::MixesExecutions => {
                if let Some(record) = right.instance(instance)? {
                    events = right.history(instance, record.execution_id, from)?;
                }
            }
            Fault::FindsByPrefix => {
                let known = mem::take(&mut self.kept.lock().unwrap().executions);
                for (id, of) in &known {
                    let begins = id.as_str().starts_with(instance.as_str());
                    if begins && id != instance && *of == execution {
                        events.extend(right.history(id, *of, from)?);
                    }
                }
                self.kept.lock().unwrap().executions = known;
            }
            Fault::StopsBehindLargeValues => {
                let small = |event: &HistoryEvent| match &event.kind {
                    EventKind::TaskCompleted { result, .. } => result.as_str().len() < 1 << 20,
                    _ => true,
                };
                let before = events.iter().take_while(|event| small(event)).count();
                events.truncate(before + 1);
            }
            _ => self.kept.lock().unwrap().past.bend(self.fault, instance, execution, &mut events),
        }
        Ok(events)
    }
}
