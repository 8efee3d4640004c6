//! Stores that change a few methods of another store, and delegate the others to it.

/// Methods of [`Store`](durable::store::Store), to be written in its `impl`. Each calls the method of the
/// same name of a field: `delegate! { (inner) create claim }`. With `(inner, hook)`, it first calls
/// `self.hook("create")`. Optional methods that are not named have their default.
macro_rules! delegate {
    (@method create $to:tt) => {
        delegate! { @as $to create(hub: &durable::protocol::HubRecord) -> durable::protocol::HubRecord }
    };
    (@method claim $to:tt) => {
        delegate! { @as $to
            claim(partition: durable::protocol::PartitionId) -> durable::store::Epoch
        }
    };
    (@method load $to:tt) => {
        delegate! { @as $to
            load(partition: durable::protocol::PartitionId) -> durable::store::PartitionState
        }
    };
    (@method messages $to:tt) => {
        delegate! { @as $to messages(
            partition: durable::protocol::PartitionId,
            to: Option<&durable::InstanceId>,
            positions: std::ops::Range<u64>,
            limit: usize
        ) -> Vec<(u64, durable::protocol::TaskMessage)> }
    };
    (@method commit $to:tt) => {
        delegate! { @as $to commit(commit: &durable::store::Commit) -> () }
    };
    (@method instance $to:tt) => {
        delegate! { @as $to
            instance(id: &durable::InstanceId) -> Option<durable::protocol::InstanceRecord>
        }
    };
    (@method due $to:tt) => {
        delegate! { @as $to due(
            partition: durable::protocol::PartitionId,
            after: Option<&(durable::protocol::Timestamp, durable::InstanceId)>,
            until: durable::protocol::Timestamp,
            limit: usize
        ) -> Vec<(durable::protocol::Timestamp, durable::InstanceId)> }
    };
    (@method instances $to:tt) => {
        delegate! { @as $to instances(
            filter: &durable::store::InstanceFilter,
            after: Option<&durable::InstanceId>,
            limit: usize
        ) -> durable::store::InstancePage }
    };
    (@method instances_by_creation $to:tt) => {
        delegate! { @as $to instances_by_creation(
            filter: &durable::store::InstanceFilter,
            order: durable::store::CreationOrder,
            after: Option<&durable::store::Creation>,
            limit: usize
        ) -> durable::store::InstancePage<durable::store::Creation> }
    };
    (@method history $to:tt) => {
        delegate! { @as $to history(
            id: &durable::InstanceId,
            execution: durable::protocol::ExecutionId,
            from: u64
        ) -> Vec<durable::protocol::HistoryEvent> }
    };
    (@method history_page $to:tt) => {
        delegate! { @as $to history_page(
            id: &durable::InstanceId,
            execution: durable::protocol::ExecutionId,
            indices: std::ops::Range<u64>
        ) -> Vec<durable::protocol::HistoryEvent> }
    };
    (@method check_room $to:tt) => {
        delegate! { @as $to check_room() -> () }
    };
    (@method usage ($inner:ident $(, $hook:ident)?)) => {
        fn usage(&self) -> durable::store::Usage {
            $(self.$hook("usage");)?
            self.$inner.usage()
        }
    };
    (@method give_up ($inner:ident $(, $hook:ident)?)) => {
        fn give_up(&self) {
            $(self.$hook("give_up");)?
            self.$inner.give_up();
        }
    };
    (@as ($inner:ident $(, $hook:ident)?)
        $method:ident($($argument:ident: $type:ty),*) -> $answer:ty
    ) => {
        fn $method(&self, $($argument: $type),*) -> Result<$answer, durable::store::StoreError> {
            $(self.$hook(stringify!($method));)?
            self.$inner.$method($($argument),*)
        }
    };
    ($to:tt $($method:ident)*) => {
        $(delegate! { @method $method $to })*
    };
}

pub(crate) use delegate;
