//! A store behind a pointer is a store: `Arc<S>` and `Box<S>`, also of `dyn Store`.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::{
    BackupReport, Cluster, Commit, Creation, CreationOrder, Epoch, InstanceFilter, InstancePage,
    PartitionState, Store, StoreError, StoreTransactions, Usage,
};
use crate::protocol::{
    ExecutionId, HistoryEvent, HubRecord, InstanceId, InstanceRecord, PartitionId, TaskMessage,
    Timestamp,
};

macro_rules! forward {
    ($pointer:ident) => {
        impl<S: Store + ?Sized> Store for $pointer<S> {
            fn create(&self, hub: &HubRecord) -> Result<HubRecord, StoreError> {
                (**self).create(hub)
            }

            fn claim(&self, partition: PartitionId) -> Result<Epoch, StoreError> {
                (**self).claim(partition)
            }

            fn load(&self, partition: PartitionId) -> Result<PartitionState, StoreError> {
                (**self).load(partition)
            }

            fn messages(
                &self,
                partition: PartitionId,
                to: Option<&InstanceId>,
                positions: Range<u64>,
                limit: usize,
            ) -> Result<Vec<(u64, TaskMessage)>, StoreError> {
                (**self).messages(partition, to, positions, limit)
            }

            fn commit(&self, commit: &Commit) -> Result<(), StoreError> {
                (**self).commit(commit)
            }

            fn instance(&self, id: &InstanceId) -> Result<Option<InstanceRecord>, StoreError> {
                (**self).instance(id)
            }

            fn due(
                &self,
                partition: PartitionId,
                after: Option<&(Timestamp, InstanceId)>,
                until: Timestamp,
                limit: usize,
            ) -> Result<Vec<(Timestamp, InstanceId)>, StoreError> {
                (**self).due(partition, after, until, limit)
            }

            fn instances(
                &self,
                filter: &InstanceFilter,
                after: Option<&InstanceId>,
                limit: usize,
            ) -> Result<InstancePage, StoreError> {
                (**self).instances(filter, after, limit)
            }

            fn instances_by_creation(
                &self,
                filter: &InstanceFilter,
                order: CreationOrder,
                after: Option<&Creation>,
                limit: usize,
            ) -> Result<InstancePage<Creation>, StoreError> {
                (**self).instances_by_creation(filter, order, after, limit)
            }

            fn history(
                &self,
                instance: &InstanceId,
                execution: ExecutionId,
                from: u64,
            ) -> Result<Vec<HistoryEvent>, StoreError> {
                (**self).history(instance, execution, from)
            }

            fn history_page(
                &self,
                instance: &InstanceId,
                execution: ExecutionId,
                indices: Range<u64>,
            ) -> Result<Vec<HistoryEvent>, StoreError> {
                (**self).history_page(instance, execution, indices)
            }

            fn check_room(&self) -> Result<(), StoreError> {
                (**self).check_room()
            }

            fn usage(&self) -> Usage {
                (**self).usage()
            }

            fn backup(&self, to: &Path) -> Result<BackupReport, StoreError> {
                (**self).backup(to)
            }

            fn cluster(&self) -> Option<&dyn Cluster> {
                (**self).cluster()
            }

            fn default_partitions(&self) -> u16 {
                (**self).default_partitions()
            }

            fn transactions(&self) -> Option<StoreTransactions> {
                (**self).transactions()
            }

            fn give_up(&self) {
                (**self).give_up();
            }
        }
    };
}

forward!(Arc);
forward!(Box);

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::store::MemoryStore;

    /// A store whose optional methods all have an effect.
    #[derive(Debug, Default)]
    struct Full(MemoryStore, AtomicBool);

    macro_rules! of_memory {
        ($($name:ident($($arg:ident: $type:ty),*) -> $answer:ty;)*) => {
            $(fn $name(&self, $($arg: $type),*) -> Result<$answer, StoreError> {
                self.0.$name($($arg),*)
            })*
        };
    }

    impl Store for Full {
        of_memory! {
            create(hub: &HubRecord) -> HubRecord;
            claim(partition: PartitionId) -> Epoch;
            load(partition: PartitionId) -> PartitionState;
            messages(
                partition: PartitionId, to: Option<&InstanceId>, positions: Range<u64>, limit: usize
            ) -> Vec<(u64, TaskMessage)>;
            commit(commit: &Commit) -> ();
            instance(id: &InstanceId) -> Option<InstanceRecord>;
            due(
                partition: PartitionId, after: Option<&(Timestamp, InstanceId)>,
                until: Timestamp, limit: usize
            ) -> Vec<(Timestamp, InstanceId)>;
            instances(
                filter: &InstanceFilter, after: Option<&InstanceId>, limit: usize
            ) -> InstancePage;
            history(id: &InstanceId, execution: ExecutionId, from: u64) -> Vec<HistoryEvent>;
        }

        fn instances_by_creation(
            &self,
            _: &InstanceFilter,
            _: CreationOrder,
            _: Option<&Creation>,
            _: usize,
        ) -> Result<InstancePage<Creation>, StoreError> {
            Err(StoreError::damaged("no order"))
        }

        fn history_page(
            &self,
            _: &InstanceId,
            _: ExecutionId,
            _: Range<u64>,
        ) -> Result<Vec<HistoryEvent>, StoreError> {
            Err(StoreError::damaged("no page"))
        }

        fn check_room(&self) -> Result<(), StoreError> {
            Err(StoreError::damaged("no room"))
        }

        fn usage(&self) -> Usage {
            Usage::default().disk_bytes(1)
        }

        fn backup(&self, _: &Path) -> Result<BackupReport, StoreError> {
            Err(StoreError::damaged("no backup"))
        }

        fn default_partitions(&self) -> u16 {
            17
        }

        fn give_up(&self) {
            self.1.store(true, Ordering::Relaxed);
        }
    }

    #[test]
    fn optional_methods_reach_the_store_behind_a_pointer() {
        let store = Arc::new(Full::default());
        let behind: Box<dyn Store> = Box::new(Arc::clone(&store) as Arc<dyn Store>);
        let error = behind.check_room().unwrap_err();
        assert!(error.to_string().contains("no room"), "{error}");
        let (id, execution) = (InstanceId::new("order-17").unwrap(), ExecutionId::from_u128(1));
        let error = behind.history_page(&id, execution, 0..1).unwrap_err();
        assert!(error.to_string().contains("no page"), "{error}");
        assert_eq!(behind.usage(), store.usage());
        let error = behind.backup(Path::new("copy")).unwrap_err();
        assert!(error.to_string().contains("no backup"), "{error}");
        assert_eq!(behind.default_partitions(), 17);
        behind.give_up();
        assert!(store.1.load(Ordering::Relaxed));
    }
}
